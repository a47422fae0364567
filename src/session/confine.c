/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * What a session leaves open in its sandbox: the needs of the core, which are here, those of its mode
 * and its options, and the paths that the user named.
 */
#include "session/confine.h"

#include "renderer/options.h"

#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <linux/udmabuf.h>
#include <sys/socket.h>

/* Of session, vhost, gpu and display; whatever they need when the front-end can be heard. */
static const struct sandbox_call core_calls[] = {
	/* messages, with descriptors, on sockets that there are */
	SANDBOX_CALL(recvmsg),
	SANDBOX_CALL(recvfrom),
	SANDBOX_CALL(sendmsg),
	SANDBOX_CALL(vmsplice),
	SANDBOX_CALL(splice),
	SANDBOX_CALL_IF_NULL(sendto, 4),
	SANDBOX_CALL_IF_INT(setsockopt, 2, SO_SNDBUF),
	SANDBOX_CALL_IF_INT(setsockopt, 2, SO_SNDBUFFORCE),
	SANDBOX_CALL(getsockopt),
	SANDBOX_CALL(getsockname),
	SANDBOX_CALL_IF_INT(ioctl, 1, SIOCOUTQ),
	SANDBOX_CALL(shutdown),
	/* the control socket */
	SANDBOX_CALL(accept4),
	SANDBOX_CALL(unlink),
	SANDBOX_CALL(unlinkat),
	/* the main loop */
	SANDBOX_CALL(eventfd2),
	SANDBOX_CALL(epoll_ctl),
	SANDBOX_CALL(epoll_wait),
	SANDBOX_CALL(epoll_pwait),
	/* guest pages as dma-bufs, memory to share with the front-end */
	SANDBOX_CALL_IF_INT(ioctl, 1, UDMABUF_CREATE_LIST),
	SANDBOX_CALL(memfd_create),
	SANDBOX_CALL(ftruncate),
	/* the watchdog's last second */
	SANDBOX_CALL(alarm),
	SANDBOX_CALL(setitimer),
	{0},
};

static const struct sandbox_path core_paths[] = {
	{"/dev/udmabuf", SANDBOX_DEVICE},
	{0},
};

static const struct sandbox_needs core_needs = {.calls = core_calls, .paths = core_paths};

struct sandbox *confine_begin(const struct session_config *config)
{
	struct sandbox *sandbox = sandbox_create(config->sandbox);

	sandbox_add(sandbox, &core_needs);
	sandbox_add(sandbox, config->type->needs);
	renderer_options_confine(&config->renderer, sandbox);
	sandbox_add_path(sandbox, config->renderer.render_node, SANDBOX_DEVICE);
	sandbox_add_path(sandbox, config->control_dir, SANDBOX_SOCKETS);
	sandbox_add_path(sandbox, config->shader_cache, SANDBOX_WRITE);
	if (sandbox_begin(sandbox) == 0)
		return sandbox;
	sandbox_destroy(sandbox);
	return NULL;
}
