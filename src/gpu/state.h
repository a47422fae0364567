/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What the modules of gpu/ share: the device, which has one of each. Inside gpu/ only. Each
 * module's own state is its own; nobody reaches through another's pointer.
 */
#pragma once

#include "gpu/device.h"
#include "gpu/wait.h"
#include "util/pool.h"
#include "util/turn.h"

#include <glib.h>
#include <stdint.h>

struct gpu_command;
struct gpu_contexts;
struct gpu_fences;
struct gpu_mappings;
struct gpu_outputs;
struct gpu_paging;
struct gpu_resources;
struct gpu_teardown;
struct gpu_tracked_resource;

/** struct gpu_put_off - A TRANSFER_TO_HOST_2D that is not yet done (gpu/transfer.c); zero: none */
struct gpu_put_off {
	struct gpu_command *command;
	struct gpu_tracked_resource *resource; /* a reference */
	int error;
};

/**
 * struct gpu_device - See gpu/device.h
 * @hostmem_used: bytes of GPU_LIMIT_HOSTMEM that are taken (gpu/hostmem.h)
 * @commands: struct gpu_command that nobody uses (gpu/command.c)
 * @udmabuf_fd: /dev/udmabuf, or -1; owned
 * @events_read: of the configuration space
 * @turn: the budget of this round of the main loop
 */
struct gpu_device {
	struct renderer *renderer;
	struct guest_memory *memory;
	struct gpu_limits limits;
	GMainContext *context;
	const struct gpu_device_events *events;
	void *events_opaque;

	struct turn turn;
	struct pool commands;
	struct gpu_waits waits;
	struct gpu_put_off put_off;
	struct gpu_resources *resources;
	struct gpu_contexts *contexts;
	struct gpu_fences *fences;
	struct gpu_mappings *mappings;
	struct gpu_outputs *outputs;
	struct gpu_paging *paging;
	struct gpu_teardown *teardown;
	uint64_t hostmem_used;
	uint32_t scanout_count;
	uint32_t events_read;
	int udmabuf_fd;
};
