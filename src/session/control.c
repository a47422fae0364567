/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The control socket: DIRECTORY/session-PID.sock, for the user who started the daemon only.
 *
 * A client sends lines and gets an answer for each, whose last line is "ok" or begins with
 * "error: ":
 *	outputs			lists the outputs, each as "output N WIDTHxHEIGHT[+off]"
 *	output N WIDTHxHEIGHT	connects output N, or changes its size
 *	output N WIDTHxHEIGHT+off, output N off
 *				disconnects it
 *
 * Who shares a display socket with the guest's VMM is told of a change by nobody here: the outputs
 * are then the front-end's. Nothing waits: a client that does not read its answers is hung up on, as
 * is one whose line is too long. Where there are too many, the one that was silent longest goes.
 */
#include "session/control.h"

#include "display/displays.h"
#include "display/modes.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_LINE_LEN 128
#define MAX_CLIENTS  8
/* Until it is tried again to accept a client, where there is no descriptor for it. */
#define RETRY_MS 1000

struct control {
	struct display *headless;
	unsigned int output_count;
	GMainContext *context;
	char *path;
	int fd;
	GSource *source;    /* NULL while @retry is there */
	GSource *retry;	    /* or NULL */
	GPtrArray *clients; /* struct client, owned; first the one that was silent longest */
};

struct client {
	struct control *control;
	int fd;
	GSource *source;
	char line[MAX_LINE_LEN];
	size_t len;
};

#define READABLE (G_IO_IN | G_IO_HUP | G_IO_ERR)

static void client_free(gpointer data)
{
	struct client *client = data;

	source_clear(&client->source);
	fd_clear(&client->fd);
	g_free(client);
}

/* Commands */

static void list_outputs(const struct control *control, GString *answer)
{
	struct display_outputs outputs;

	display_headless_get_outputs(control->headless, &outputs);
	for (unsigned int i = 0; i < control->output_count; i++) {
		char text[DISPLAY_MODE_TEXT_LEN];

		display_mode_format(&outputs.output[i], text);
		g_string_append_printf(answer, "output %u %s\n", i, text);
	}
	g_string_append(answer, "ok\n");
}

/* Return: NULL, or why not. */
static const char *set_output(struct control *control, const char *number, const char *mode)
{
	struct display_outputs outputs;
	struct display_output output;
	guint64 index;

	if (!g_ascii_string_to_unsigned(number, 10, 0, control->output_count - 1, &index, NULL))
		return "there is no such output";
	display_headless_get_outputs(control->headless, &outputs);
	if (strcmp(mode, "off") == 0) {
		output = outputs.output[index];
		output.connected = false;
	} else if (display_mode_parse(mode, &output) < 0) {
		return "an output is WIDTHxHEIGHT, WIDTHxHEIGHT+off or off";
	}
	display_headless_set_output(control->headless, (uint32_t)index, &output);
	log_info("output %s is %s now", number, mode);
	return NULL;
}

static void run_line(struct control *control, const char *line, GString *answer)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 4);
	const guint count = g_strv_length(words);
	const char *why = "the commands are 'outputs' and 'output N WIDTHxHEIGHT[+off]'";

	if (count == 1 && strcmp(words[0], "outputs") == 0) {
		list_outputs(control, answer);
		return;
	}
	if (count == 3 && strcmp(words[0], "output") == 0)
		why = set_output(control, words[1], words[2]);
	if (why)
		g_string_append_printf(answer, "error: %s\n", why);
	else
		g_string_append(answer, "ok\n");
}

/* Clients */

/* Runs the lines that are complete, and keeps the rest. */
static void run_lines(struct client *client, GString *answer)
{
	char *start = client->line;
	char *end;

	while ((end = memchr(start, '\n', client->len - (size_t)(start - client->line)))) {
		*end = '\0';
		run_line(client->control, start, answer);
		start = end + 1;
	}
	client->len -= (size_t)(start - client->line);
	memmove(client->line, start, client->len);
}

/* Return: false when the client is to be hung up on. */
static bool serve_client(struct client *client)
{
	g_autoptr(GString) answer = g_string_new(NULL);
	ssize_t len = recv(client->fd, client->line + client->len,
		sizeof(client->line) - client->len, MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR;
	if (len == 0)
		return false;
	client->len += (size_t)len;
	run_lines(client, answer);
	if (client->len == sizeof(client->line))
		return false;
	return send(client->fd, answer->str, answer->len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)answer->len;
}

/* Puts it behind the others. */
static void client_has_spoken(struct client *client)
{
	GPtrArray *clients = client->control->clients;
	guint index;

	if (g_ptr_array_find(clients, client, &index))
		g_ptr_array_add(clients, g_ptr_array_steal_index(clients, index));
}

static gboolean client_readable(gint fd, GIOCondition condition, gpointer user_data)
{
	struct client *client = user_data;

	if (serve_client(client))
		client_has_spoken(client);
	else
		g_ptr_array_remove(client->control->clients, client);
	return G_SOURCE_CONTINUE;
}

static gboolean accept_again(gpointer user_data);

/* Whoever wants to connect waits, and the socket stays readable: it must not be asked all the time. */
static void pause_accepting(struct control *control)
{
	log_warning("cannot accept a client of the control socket: %s", g_strerror(errno));
	source_clear(&control->source);
	control->retry = source_add_timeout(control->context, RETRY_MS, accept_again, control);
}

static gboolean control_readable(gint fd, GIOCondition condition, gpointer user_data)
{
	struct control *control = user_data;
	autofd client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	if (client_fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_accepting(control);
		return G_SOURCE_CONTINUE;
	}
	if (control->clients->len == MAX_CLIENTS)
		g_ptr_array_remove_index(control->clients, 0);
	client = g_new0(struct client, 1);
	client->control = control;
	client->fd = fd_take(&client_fd);
	client->source =
		source_add_fd(control->context, client->fd, READABLE, client_readable, client);
	g_ptr_array_add(control->clients, client);
	return G_SOURCE_CONTINUE;
}

static gboolean accept_again(gpointer user_data)
{
	struct control *control = user_data;

	source_clear(&control->retry);
	control->source =
		source_add_fd(control->context, control->fd, READABLE, control_readable, control);
	return G_SOURCE_REMOVE;
}

/* Start and end */

/* Return: a listening socket that only this user can connect to, or a negative errno. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	autofd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	/* Of a process with this number that is no more. */
	(void)unlink(path);
	/* The file gets the socket's mode. A umask would be that of all threads. */
	if (fchmod(fd, 0600) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, MAX_CLIENTS) < 0)
		return -errno;
	return fd_take(&fd);
}

struct control *control_create(const char *directory, struct display *headless,
	unsigned int output_count, GMainContext *context, char **ret_message)
{
	g_autofree char *path = NULL;
	struct control *control;
	int fd;

	if (!directory)
		return NULL;
	path = g_strdup_printf("%s/session-%d.sock", directory, (int)getpid());
	fd = listen_at(path);
	if (fd < 0) {
		*ret_message = g_strdup_printf(
			"cannot make the control socket '%s': %s", path, g_strerror(-fd));
		return NULL;
	}
	control = g_new0(struct control, 1);
	control->headless = headless;
	control->output_count = output_count;
	control->context = context;
	control->path = g_steal_pointer(&path);
	control->fd = fd;
	control->clients = g_ptr_array_new_with_free_func(client_free);
	control->source = source_add_fd(context, fd, READABLE, control_readable, control);
	return control;
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	g_ptr_array_free(control->clients, TRUE);
	source_clear(&control->source);
	source_clear(&control->retry);
	fd_clear(&control->fd);
	unlink(control->path);
	g_free(control->path);
	g_free(control);
}
