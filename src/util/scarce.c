/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* One flag of the process, which is what memory belongs to. */
#include "util/scarce.h"

#include <stdatomic.h>

static atomic_bool is_scarce;

void memory_set_scarce(bool scarce)
{
	/* Nothing else is published with it. */
	atomic_store_explicit(&is_scarce, scarce, memory_order_relaxed);
}

bool memory_is_scarce(void)
{
	return atomic_load_explicit(&is_scarce, memory_order_relaxed);
}
