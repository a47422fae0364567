/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What virglrenderer needs of the sandbox beside the drivers: in the session, and in the render
 * server, which is another program (server.c).
 */
#include "renderer/needs.h"
#include "renderer/virgl/renderer_virgl.h"

#define SIGN_BIT (UINT32_C(1) << 31)

static const struct sandbox_call session_calls[] = {
	/* to end the render server, and to hear of its end */
	{.name = "kill", .match = SANDBOX_OWN_CHILDREN, .arg = 0},
	SANDBOX_CALL(wait4),
	SANDBOX_CALL(waitid),
	SANDBOX_CALL(pidfd_open),
	{0},
};

static const struct sandbox_path session_paths[] = {
	{RENDERER_VIRGL_PREFIX "/libexec/virgl_render_server", SANDBOX_READ},
	{RENDERER_VIRGL_PREFIX "/lib", SANDBOX_READ},
	{0},
};

static const char *const session_variables[] = {
	"RENDER_SERVER_EXEC_PATH",
	NULL,
};

const struct sandbox_needs renderer_virgl_needs = {
	.base = &renderer_driver_needs,
	.calls = session_calls,
	.paths = session_paths,
	.variables = session_variables,
};

static const struct sandbox_call server_calls[] = {
	/* to become the server; modules/no_exec.c ends that, when the program runs */
	SANDBOX_CALL(execve),
	SANDBOX_CALL(arch_prctl),
	/* a process for each context, which is ended and waited for */
	SANDBOX_CALL_CLONE(0, 0),
	SANDBOX_CALL(fork),
	SANDBOX_CALL_IF(kill, 0, SIGN_BIT, 0), /* no groups, and not everybody */
	SANDBOX_CALL(tgkill),
	SANDBOX_CALL(wait4),
	SANDBOX_CALL(waitid),
	SANDBOX_CALL(signalfd4),
	/* sockets between the processes; they are made in pairs, and connect to nobody */
	SANDBOX_CALL(socketpair),
	SANDBOX_CALL(sendmsg),
	SANDBOX_CALL(recvmsg),
	SANDBOX_CALL_IF_NULL(sendto, 4),
	SANDBOX_CALL(recvfrom),
	SANDBOX_CALL(getsockopt),
	SANDBOX_CALL(shutdown),
	/* modules/no_exec.c */
	SANDBOX_CALL(seccomp),
	{0},
};

const struct sandbox_needs renderer_virgl_server_needs = {
	.base = &renderer_driver_needs,
	.calls = server_calls,
};
