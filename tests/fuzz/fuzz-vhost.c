/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * A front-end that sends any messages in any order, with any descriptors, whole or in pieces. They
 * enter where a front-end's enter: at the other end of the socket, through the main loop.
 *
 * Input: records. The first byte says what is done:
 *	MESSAGE	request, flags, descriptors, payload length: one byte each; the payload
 *	RAW	length: one byte; bytes that go into the socket as they are
 *	KICK	which: one byte: write to a descriptor that was sent
 *	READ	nothing: read away what was answered
 *	SHUT_DOWN nothing more is written: the front-end shuts its side down
 *	MAP	a byte: the device asks for memory to be mapped, in that page of the region
 *	UNMAP	the same: unmapped
 *	ANSWER	request and status: one byte each: an answer on the back-end channel
 *	ANSWER_RAW length: one byte; bytes that go into that channel as they are
 *	CONFIG	nothing: the device's configuration space changed
 *	RENAME	nothing: the front-end's process is called as QEMU is, or is not any more
 * The byte for descriptors has their number in its lower half; what they are is taken in turn from
 * the upper half on.
 */
#include "util/fd.h"
#include "util/source.h"
#include "vhost/protocol.h"
#include "vhost/vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_LEN  0x20000
#define MAX_FDS	    15
#define MAX_CHAINS  64
#define QUEUE_COUNT 2

#define PAGE_LEN 4096

enum operation {
	MESSAGE,
	RAW,
	KICK,
	READ,
	SHUT_DOWN,
	MAP,
	UNMAP,
	ANSWER,
	ANSWER_RAW,
	CONFIG,
	RENAME,
	OPERATION_COUNT
};
enum fd_kind { FD_MEMORY, FD_EVENT, FD_SOCKET, FD_NULL, FD_KIND_COUNT };

struct input {
	const uint8_t *data;
	size_t len;
};

struct frontend {
	GMainContext *context;
	struct vhost *vhost;
	int fd;
	int event_fd;
	int backend_fd; /* our end of the socket that was sent last, or -1 */
	bool is_over;
	bool is_qemu;
	unsigned int requests; /* on the back-end channel, without an answer */
	unsigned int changing;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void on_set_features(void *opaque, uint64_t features)
{
}

static void on_get_config(void *opaque, uint32_t offset, void *buf, uint32_t len)
{
	g_assert(offset + len <= VHOST_MAX_CONFIG_LEN);
	memset(buf, 1, len);
}

static int on_set_config(void *opaque, uint32_t offset, const void *buf, uint32_t len)
{
	uint8_t copy[VHOST_MAX_CONFIG_LEN];

	g_assert(offset + len <= VHOST_MAX_CONFIG_LEN);
	memcpy(copy, buf, len);
	return 0;
}

static void on_display_socket(void *opaque, int fd)
{
	close(fd);
}

static void on_memory_changing(void *opaque)
{
	g_assert(((struct frontend *)opaque)->changing++ == 0);
}

static void on_memory_changed(void *opaque)
{
	((struct frontend *)opaque)->changing = 0;
}

static void on_queue_started(void *opaque, unsigned int index, bool is_new)
{
	g_assert(index < QUEUE_COUNT);
}

/* As a session does, and every byte of a chain is touched. */
static void on_queue_ready(void *opaque, unsigned int index)
{
	struct frontend *frontend = opaque;
	struct virtq *vq = vhost_get_queue(frontend->vhost, index);
	struct virtq_chain *chain;

	if (!vhost_queue_is_enabled(frontend->vhost, index))
		return;
	for (int i = 0; i < MAX_CHAINS && virtq_pop(vq, &chain) > 0; i++) {
		uint8_t bytes[64];
		ssize_t len = virtq_read(vq, chain, 0, bytes, sizeof(bytes));

		len = virtq_write(vq, chain, 0, bytes, len > 0 ? (size_t)len : 0);
		virtq_push(vq, chain, len > 0 ? (size_t)len : 0);
	}
	virtq_notify(vq);
}

static void on_queue_stopping(void *opaque, unsigned int index)
{
	g_assert(index < QUEUE_COUNT);
}

static void on_reset(void *opaque)
{
}

static void on_closed(void *opaque, int error, const char *reason)
{
	struct frontend *frontend = opaque;

	g_assert(!frontend->is_over);
	g_assert(error == 0 || reason);
	frontend->is_over = true;
}

static const struct vhost_events events = {
	.set_features = on_set_features,
	.get_config = on_get_config,
	.set_config = on_set_config,
	.set_display_socket = on_display_socket,
	.memory_changing = on_memory_changing,
	.memory_changed = on_memory_changed,
	.queue_started = on_queue_started,
	.queue_ready = on_queue_ready,
	.queue_stopping = on_queue_stopping,
	.reset = on_reset,
	.closed = on_closed,
};

static uint8_t take_byte(struct input *input)
{
	if (input->len == 0)
		return 0;
	input->len--;
	return *input->data++;
}

static const uint8_t *take(struct input *input, size_t *len)
{
	const uint8_t *data = input->data;

	*len = MIN(*len, input->len);
	input->data += *len;
	input->len -= *len;
	return data;
}

/* The device gets one end, and whatever it asks there comes to the other. */
static int make_socket(struct frontend *frontend)
{
	const int smallest = 1;
	int fds[2];

	g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	fd_clear(&frontend->backend_fd);
	frontend->backend_fd = fds[0];
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
	return fds[1];
}

static int make_fd(struct frontend *frontend, enum fd_kind kind)
{
	int fd;

	switch (kind) {
	case FD_MEMORY:
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		g_assert(ftruncate(fd, MEMORY_LEN) == 0);
		return fd;
	case FD_EVENT:
		return fcntl(frontend->event_fd, F_DUPFD_CLOEXEC, 0);
	case FD_SOCKET:
		return make_socket(frontend);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
}

static void send_bytes(
	struct frontend *frontend, const void *data, size_t len, const int *fds, unsigned int count)
{
	struct iovec iov = {(void *)(uintptr_t)data, len};
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (count > 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	(void)!sendmsg(frontend->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_message(struct frontend *frontend, struct input *input)
{
	uint8_t message[sizeof(struct vhost_header) + UINT8_MAX];
	const uint8_t request = take_byte(input) % (VHOST_REQUEST_COUNT + 1);
	const uint8_t flags = take_byte(input);
	const uint8_t fd_byte = take_byte(input);
	size_t len = take_byte(input);
	const uint8_t *payload = take(input, &len);
	const struct vhost_header header = {request, VHOST_VERSION | (flags & 0xfc), len};
	int fds[MAX_FDS];
	unsigned int count = fd_byte & 0xf;

	for (unsigned int i = 0; i < count; i++)
		fds[i] = make_fd(frontend, (enum fd_kind)(((fd_byte >> 4) + i) % FD_KIND_COUNT));
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), payload, len);
	send_bytes(frontend, message, sizeof(header) + len, fds, count);
	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
}

static void read_answers(struct frontend *frontend)
{
	uint8_t bytes[4096];

	while (recv(frontend->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void on_request_done(void *opaque, int error)
{
	struct frontend *frontend = opaque;

	g_assert(error <= 0 && frontend->requests > 0);
	frontend->requests--;
}

static void ask_frontend(struct frontend *frontend, bool maps, uint8_t page)
{
	const struct vhost_shmem_range range = {
		.shmid = 1, .shm_offset = page * PAGE_LEN, .len = PAGE_LEN, .writable = true};
	int ret;

	if (maps)
		ret = vhost_shmem_map(
			frontend->vhost, &range, frontend->event_fd, on_request_done, frontend);
	else
		ret = vhost_shmem_unmap(frontend->vhost, &range, on_request_done, frontend);
	frontend->requests += ret == 0;
}

static void answer_device(struct frontend *frontend, struct input *input)
{
	const struct {
		struct vhost_header header;
		uint64_t status;
	} __attribute__((packed)) answer = {
		.header = {.request = take_byte(input),
			.flags = VHOST_VERSION | VHOST_FLAG_REPLY,
			.size = sizeof(uint64_t)},
		.status = take_byte(input),
	};

	(void)!send(frontend->backend_fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The device knows QEMU by this name. */
static void rename_process(struct frontend *frontend)
{
	frontend->is_qemu = !frontend->is_qemu;
	prctl(PR_SET_NAME, frontend->is_qemu ? "qemu-system-x86" : "fuzz-vhost");
}

static void run_record(struct frontend *frontend, struct input *input)
{
	const uint64_t one = 1;
	size_t len;

	switch (take_byte(input) % OPERATION_COUNT) {
	case MESSAGE:
		send_message(frontend, input);
		break;
	case RAW:
		len = take_byte(input);
		send_bytes(frontend, take(input, &len), len, NULL, 0);
		break;
	case KICK:
		(void)!write(frontend->event_fd, &one, sizeof(one));
		break;
	case READ:
		read_answers(frontend);
		break;
	case SHUT_DOWN:
		shutdown(frontend->fd, SHUT_WR);
		break;
	case MAP:
		ask_frontend(frontend, true, take_byte(input));
		break;
	case UNMAP:
		ask_frontend(frontend, false, take_byte(input));
		break;
	case ANSWER:
		answer_device(frontend, input);
		break;
	case ANSWER_RAW:
		len = take_byte(input);
		(void)!send(
			frontend->backend_fd, take(input, &len), len, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case CONFIG:
		vhost_notify_config(frontend->vhost);
		break;
	case RENAME:
		rename_process(frontend);
		break;
	}
	for (int i = 0; i < 32 && g_main_context_iteration(frontend->context, FALSE); i++)
		;
}

/* The lowest descriptor that is free: the same before and after, or one was lost. */
static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vhost_device device = {
		.features = 1,
		.queue_count = QUEUE_COUNT,
		.max_queue_size = 256,
		.has_shmem = true,
		.shmem_sizes = {[1] = 1 << 20},
	};
	struct input input = {data, len};
	struct frontend frontend = {.backend_fd = -1};
	const int before = lowest_fd();
	const int smallest = 1;
	int fds[2];

	g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	frontend.context = g_main_context_new();
	g_assert(source_epoll_begin(frontend.context) == 0);
	frontend.fd = fds[1];
	/* So that answers wait and are half sent. */
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
	frontend.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	frontend.vhost = vhost_create(fds[0], &device, &events, &frontend, frontend.context);
	while (input.len > 0 && !frontend.is_over)
		run_record(&frontend, &input);
	vhost_destroy(frontend.vhost);
	close(frontend.fd);
	close(frontend.event_fd);
	fd_clear(&frontend.backend_fd);
	if (frontend.is_qemu)
		rename_process(&frontend);
	source_epoll_end();
	g_main_context_unref(frontend.context);
	g_assert(lowest_fd() == before);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

static GLogWriterOutput drop_line(
	GLogLevelFlags level, const GLogField *fields, gsize field_count, gpointer user_data)
{
	return G_LOG_WRITER_HANDLED;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	g_log_set_writer_func(drop_line, NULL, NULL);
	return 0;
}
