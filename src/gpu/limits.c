/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* The table of limits. Data only: who counts what compares. */
#include "gpu/limits.h"

#include <stddef.h>

#define KIB(count) (UINT64_C(count) << 10)
#define MIB(count) (UINT64_C(count) << 20)
#define GIB(count) (UINT64_C(count) << 30)
#define TIB(count) (UINT64_C(count) << 40)

const struct gpu_limit_row gpu_limit_rows[GPU_LIMIT_COUNT] = {
	[GPU_LIMIT_RESOURCES] =
		{
			.option = "max-resources",
			.initial = 65536,
			.min = 1,
			.max = 1 << 24,
			.help = "resources of one guest at a time",
			.man = "How many resources (images, buffers, blobs) one guest may have at "
			       "a time.",
		},
	[GPU_LIMIT_CONTEXTS] =
		{
			.option = "max-contexts",
			.initial = 256,
			.min = 1,
			.max = 65536,
			.help = "3D contexts of one guest at a time",
			.man = "How many 3D contexts one guest may have at a time; a program in "
			       "the guest that draws has one or a few. An OpenGL context takes "
			       "about 2.5 MiB of the host\\(aqs memory, a Vulkan context a "
			       "process.",
		},
	[GPU_LIMIT_HOSTMEM] =
		{
			.option = "max-hostmem",
			.is_size = true,
			.initial = GIB(4),
			.min = MIB(1),
			.max = TIB(16),
			.help = "host memory for one guest's resources",
			.man = "How much host memory the resources of one guest may take. What is "
			       "made by commands of the device is counted: images, lists of "
			       "pages, blobs, attachments to contexts. What OpenGL makes inside "
			       "of a command stream is not, see \\fB\\-\\-max\\-memory\\fR.",
		},
	[GPU_LIMIT_BACKING_ENTRIES] =
		{
			.option = "max-backing",
			.initial = 1 << 20,
			.min = 1,
			.max = 1 << 24,
			.help = "entries of one resource's list of guest pages",
			.man = "How many entries the list of one resource\\(aqs guest pages may "
			       "have.",
		},
	[GPU_LIMIT_TOTAL_BACKING_ENTRIES] =
		{
			.option = "max-total-backing",
			.initial = 4 << 20,
			.min = 1,
			.max = 1 << 26,
			.help = "entries of all such lists of one guest",
			.man = "How many entries all those lists of one guest may have together. "
			       "They are looked up again after each change of the memory table, "
			       "while the guest\\(aqs queues stand still.",
		},
	[GPU_LIMIT_SUBMIT_LEN] =
		{
			.option = "max-submit",
			.is_size = true,
			.initial = MIB(16),
			.min = KIB(4),
			.max = GIB(1),
			.help = "length of one command stream",
			.man = "How long one command stream (SUBMIT_3D) may be.",
		},
	[GPU_LIMIT_CAPSET_LEN] =
		{
			.option = "max-capset",
			.is_size = true,
			.initial = MIB(1),
			.min = KIB(4),
			.max = MIB(64),
			.help = "length of one capability set",
			.man = "How long a capability set may be that a renderer describes itself "
			       "with; those of today have less than 4K.",
		},
	[GPU_LIMIT_MEMORY] =
		{
			.option = "max-memory",
			.is_size = true,
			.can_be_off = true,
			.initial = GIB(8),
			.min = MIB(64),
			.max = TIB(16),
			.help = "memory of one session, its render server included; 0: any",
			.man = "How much memory one session and the processes that it started may "
			       "have for themselves, whatever it is for; the guest\\(aqs own memory "
			       "is not counted, and a GPU\\(aqs is not either. Above 7/8 of it the "
			       "guest gets no new contexts and resources; a session that has more "
			       "is ended, with a line in the log. 0 stands for no limit.",
		},
	[GPU_LIMIT_TASKS] =
		{
			.option = "max-tasks",
			.can_be_off = true,
			.initial = 4096,
			.min = 64,
			.max = 1 << 22,
			.help = "threads of one session and its render server; 0: any",
			.man = "How many threads one session and the processes that it started may "
			       "have together. A session that has more is ended, with a line in "
			       "the log. 0 stands for no limit.",
		},
};

void gpu_limits_init(struct gpu_limits *limits)
{
	for (int i = 0; i < GPU_LIMIT_COUNT; i++)
		limits->max[i] = gpu_limit_rows[i].initial;
}

const struct gpu_limit_row *gpu_limit_of_error(int error)
{
	int limit = -error - GPU_LIMIT_ERROR_BASE;

	return limit >= 0 && limit < GPU_LIMIT_COUNT ? &gpu_limit_rows[limit] : NULL;
}
