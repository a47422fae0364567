/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* For a test program that runs a GL driver, in its one source file. */
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_LSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_LSAN 1
#endif
#endif

#ifdef HAVE_LSAN
/*
 * GL drivers leak a little, which is not ours to judge; our own leaks are. To be told apart by
 * name, a driver has to be there still when the process ends.
 */
int dlclose(void *handle);
const char *__lsan_default_suppressions(void);

int dlclose(void *handle)
{
	return 0;
}

const char *__lsan_default_suppressions(void)
{
	return "leak:_dri.so\nleak:libgallium\nleak:libLLVM\nleak:libEGL\nleak:libvirglrenderer\n";
}
#endif
