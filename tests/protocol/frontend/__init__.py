# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
"""A virtual machine monitor in Python, as far as a vhost-user-gpu back-end can see one.

vhost_user   the front-end's side of the vhost-user socket, and the back-end channel
memory       guest memory in memfds, with an allocator
ring         the driver's side of split and packed virtqueues
shmem        the shared memory region, and the server of the back-end channel
display      the server of the vhost-user-gpu display socket
virtio_gpu   structures, and a driver that has a method for each command
blob         blob resources and the pictures that are made of them
virgl        the few virgl commands that the tests encode by hand
pixels       pixel formats and pictures, the reference that results are compared with
checks       expected answers
vm           all of these wired together the way QEMU does it
patience     how long is waited for what will come
daemon       start, observe and stop the program under test

Nothing but the standard library is used. Nothing here knows the daemon's sources.
"""
