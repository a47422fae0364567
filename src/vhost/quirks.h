/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What front-ends do that the specifications do not say, and what is done about it. All of it is
 * listed here; what does not concern this layer is done where the last column says.
 *
 *	QEMU 11.1	answers SHMEM_MAP inside a transaction of its memory map that it commits
 *			afterwards: a guest that hears of it at once writes into nothing (the first 16
 *			bytes of about one mapping in 3,000). A map is followed by a barrier, a
 *			request to forget a shared object that nobody has, which QEMU answers and
 *			otherwise ignores.		backend_channel.c, struct vhost_quirks
 *	QEMU to 10.x	has a shorter struct virtio_gpu_config, and a driver that is offered
 *			VIRTIO_GPU_F_BLOB_ALIGNMENT reads behind its end. Features that belong to a
 *			part of the configuration space are offered to front-ends that have read as
 *			far.				struct vhost_device, config_features
 *	QEMU before 8.2	sends no RESET_DEVICE: a control queue that starts at its first index while
 *			the other is stopped counts as a reset.	session.c, queue_started()
 *	QEMU		sends SET_STATUS 0 when it lets go of a device, which is so when the VM is
 *			only stopped, too (10.0 leaves it out for this device): it stops the queues
 *			and keeps the rest.		handlers.c, set_status()
 *	QEMU		starts an empty picture at each SCANOUT, and does not survive an UPDATE
 *			before one.			display/frontend.c
 *	QEMU		leaves some questions on the display socket unanswered.
 *							display/replies.c
 */
#pragma once

#include <stdbool.h>

/**
 * struct vhost_quirks - What has to be known of a front-end
 * @proc_fd: /proc, opened before the sandbox closes; -1 where there is none; owned
 */
struct vhost_quirks {
	int proc_fd;
};

void vhost_quirks_init(struct vhost_quirks *quirks);
void vhost_quirks_finish(struct vhost_quirks *quirks);

/**
 * vhost_quirks_answers_early() - Does who made this socket answer SHMEM_MAP before the memory is there?
 *
 * QEMU is known by the name of the process. Under libvirt that is not who connected the main socket.
 */
bool vhost_quirks_answers_early(const struct vhost_quirks *quirks, int socket_fd);
