/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Tries renderers in child processes. Starting GL or Vulkan can end or hang the process, and can
 * often not be done twice in one, so the process that asks never starts a renderer itself.
 *
 * The child makes the renderer, writes one line into a pipe and ends without taking the renderer
 * down: whether it started, which capsets it has, and what it says of itself. It leads a process
 * group, so that its helpers can be ended with it. What it and the driver print are lines of our log.
 */
#include "session/probe.h"

#include "renderer/renderers.h"
#include "util/child.h"
#include "util/fd.h"
#include "util/log_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#define TIME_LIMIT_S 20

/* First byte of the child's line. */
#define STARTED	    'y'
#define NOT_STARTED 'n'

#define MASK_DIGITS 16

struct probe {
	const struct renderer_type *type;
	struct child child;
	int pipe_fd;
	struct log_pipe log;
};

static uint64_t list_capsets(const struct renderer *renderer)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < renderer->capset_count; i++)
		mask |= UINT64_C(1) << renderer->capsets[i].id;
	return mask;
}

/* Takes the child's line apart. Return: as try_type(). */
static int read_line(const char *line, struct renderer_options *options, char **ret_message)
{
	char digits[MASK_DIGITS + 1] = {0};
	const char *rest = line + 1 + MASK_DIGITS;

	memcpy(digits, line + 1, MASK_DIGITS);
	*ret_message = *rest != '\0' ? g_strdup(rest) : NULL;
	if (line[0] != STARTED)
		return -ENODEV;
	options->tried_capset_mask = g_ascii_strtoull(digits, NULL, 16);
	return 0;
}

static G_GNUC_NORETURN void run_child(const struct renderer_type *type,
	const struct renderer_options *options, int pipe_fd, int log_fd)
{
	struct renderer_options child_options = *options;
	struct renderer *renderer;
	g_autofree char *message = NULL;
	g_autofree char *line = NULL;
	int ret;

	/* What a driver prints must not get into the output of --print-capabilities. */
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	log_to_supervisor();
	child_options.context = g_main_context_new();
	ret = type->create(&child_options, &renderer, &message);
	line = ret < 0 ? g_strdup_printf("%c%016x%.1000s", NOT_STARTED, 0,
				 message ? message : g_strerror(-ret))
		       : g_strdup_printf("%c%016" PRIx64 "%s", STARTED, list_capsets(renderer),
				 renderer->description);
	if (write(pipe_fd, line, strlen(line)) < 0)
		_exit(1);
	_exit(0);
}

static int start_child(struct probe *probe, const struct renderer_options *options)
{
	autofd log_fd = log_pipe_open(&probe->log, "probe", &log_pipe_child_rules);
	int fds[2];
	pid_t ret;

	if (log_fd < 0)
		return log_fd;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		log_pipe_close(&probe->log);
		return -errno;
	}
	ret = child_fork(&probe->child);
	if (ret == 0) {
		close(fds[0]);
		run_child(probe->type, options, fds[1], log_fd);
	}
	close(fds[1]);
	probe->pipe_fd = fds[0];
	if (ret < 0) {
		fd_clear(&probe->pipe_fd);
		log_pipe_close(&probe->log);
		return ret;
	}
	return 0;
}

/* Return: 0 when the pipe has something, -ETIMEDOUT, -EINTR for @interrupt_fd, another errno. */
static int wait_for_child(struct probe *probe, int interrupt_fd)
{
	gint64 end_us = g_get_monotonic_time() + (gint64)TIME_LIMIT_S * G_USEC_PER_SEC;

	for (;;) {
		const gint64 left_ms = (end_us - g_get_monotonic_time()) / 1000;
		int wait_ms = left_ms > 0 ? (int)left_ms : 0, ret;
		struct pollfd polls[] = {
			{.fd = probe->pipe_fd, .events = POLLIN},
			{.fd = interrupt_fd, .events = POLLIN},
			{.fd = log_pipe_poll(&probe->log, &wait_ms), .events = POLLIN},
		};

		ret = poll(polls, G_N_ELEMENTS(polls), wait_ms);
		if (ret == 0 && left_ms <= 0)
			return -ETIMEDOUT;
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (ret > 0 && polls[1].revents)
			return -EINTR;
		if (ret > 0 && polls[0].revents)
			return 0;
		if (ret >= 0)
			log_pipe_read(&probe->log);
	}
}

/* Ends the child, if it has not ended, and what it started. */
static void end_child(struct probe *probe)
{
	fd_clear(&probe->pipe_fd);
	child_end(&probe->child);
	log_pipe_close(&probe->log);
}

/* The pipe ended without a line. */
static char *describe_death(int status)
{
	if (WIFSIGNALED(status))
		return g_strdup_printf("the driver died of signal %d (%s) when it was started",
			WTERMSIG(status), g_strsignal(WTERMSIG(status)));
	return g_strdup_printf("the driver ended the process with status %d when it was started",
		WEXITSTATUS(status));
}

/* Waits for an orderly end, so that the status is the driver's and not ours. */
static char *read_death(struct probe *probe)
{
	int status = 0;
	const bool has_ended = child_wait(&probe->child, TIME_LIMIT_S * 1000, &status) == 0;

	end_child(probe);
	if (has_ended)
		return describe_death(status);
	return g_strdup("the driver ended without a word when it was started");
}

/* Return: 0, -ENODEV with a message, -EINTR, another negative errno. */
static int try_type(const struct renderer_type *type, struct renderer_options *options,
	int interrupt_fd, char **ret_message)
{
	struct probe probe = {.type = type, .pipe_fd = -1};
	char line[PIPE_BUF];
	ssize_t len;
	int ret = start_child(&probe, options);

	if (ret < 0)
		return ret;
	ret = wait_for_child(&probe, interrupt_fd);
	if (ret == -ETIMEDOUT) {
		end_child(&probe);
		*ret_message =
			g_strdup_printf("the driver did not start within %d seconds", TIME_LIMIT_S);
		return -ENODEV;
	}
	if (ret < 0) {
		end_child(&probe);
		return ret;
	}
	len = read(probe.pipe_fd, line, sizeof(line) - 1);
	if (len <= MASK_DIGITS) {
		*ret_message = read_death(&probe);
		return -ENODEV;
	}
	end_child(&probe);
	line[len] = '\0';
	return read_line(line, options, ret_message);
}

/* What the renderer that was chosen says of itself. */
static void append_description(GString *reasons, const char *description)
{
	if (description)
		g_string_append_printf(reasons, "%s%s", reasons->len > 0 ? "; " : "", description);
}

static void append_reason(GString *reasons, const char *name, const char *reason)
{
	g_string_append_printf(reasons, "%s%s: %s", reasons->len > 0 ? "; " : "", name, reason);
}

static int choose_best(struct renderer_options *options, int interrupt_fd,
	const struct renderer_type **ret_type, GString *reasons)
{
	for (const struct renderer_type *type = renderer_types; type->name; type++) {
		g_autofree char *reason = NULL;
		int ret;

		if (!type->create) {
			append_reason(reasons, type->name, "not in this build");
			continue;
		}
		ret = try_type(type, options, interrupt_fd, &reason);
		if (ret == 0) {
			*ret_type = type;
			append_description(reasons, reason);
		}
		if (ret != -ENODEV)
			return ret;
		append_reason(reasons, type->name, reason);
	}
	return -ENODEV;
}

int probe_choose(const struct renderer_type *wanted, struct renderer_options *options,
	int interrupt_fd, const struct renderer_type **ret_type, char **ret_message)
{
	g_autoptr(GString) reasons = g_string_new(NULL);
	g_autofree char *reason = NULL;
	int ret;

	if (wanted) {
		ret = try_type(wanted, options, interrupt_fd, &reason);
		if (ret == 0) {
			*ret_type = wanted;
			append_description(reasons, reason);
		} else if (ret != -EINTR) {
			append_reason(reasons, wanted->name, reason ? reason : g_strerror(-ret));
		}
	} else {
		ret = choose_best(options, interrupt_fd, ret_type, reasons);
		if (ret < 0 && ret != -ENODEV && ret != -EINTR)
			append_reason(reasons, "probe", g_strerror(-ret));
	}
	if (ret != -EINTR)
		*ret_message =
			reasons->len > 0 ? g_string_free(g_steal_pointer(&reasons), FALSE) : NULL;
	return ret;
}
