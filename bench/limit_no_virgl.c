/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* Built where there is no virglrenderer. */
#include "bench/limit.h"

#include <errno.h>

int limit_submit_here(enum limit_id id, double seconds, double *ret_seconds)
{
	return -ENOTSUP;
}
