/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Signals as file events, for main loops (signalfd(2)).
 */
#include "util/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

int signals_open(const int *signals, size_t count)
{
	sigset_t mask;
	int ret;

	sigemptyset(&mask);
	for (size_t i = 0; i < count; i++)
		sigaddset(&mask, signals[i]);
	ret = pthread_sigmask(SIG_BLOCK, &mask, NULL);
	if (ret != 0)
		return -ret;
	ret = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	return ret < 0 ? -errno : ret;
}
