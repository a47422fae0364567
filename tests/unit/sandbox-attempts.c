/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/* What a process tries that a sandbox refuses, for test-sandbox.c; the header says how. */
#include "sandbox-attempts.h"

#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_userfaultfd
#define SYS_userfaultfd (-1)
#endif

struct attempt_world attempt_world;

int attempt_result(long result)
{
	return result < 0 ? errno : 0;
}

int attempt_open(const char *path, int flags)
{
	autofd fd = open(path, flags | O_CLOEXEC, 0600);

	return attempt_result(fd);
}

static int open_below(const char *folder, int flags)
{
	g_autofree char *path = g_strdup_printf("%s/vdg-test-%d", folder, (int)getpid());
	int ret = attempt_open(path, flags);

	if (ret == 0)
		unlink(path);
	return ret;
}

int attempt_read_secret(void)
{
	return attempt_open(attempt_world.secret, O_RDONLY);
}

int attempt_write_secret(void)
{
	return attempt_open(attempt_world.secret, O_WRONLY);
}

static int truncate_secret(void)
{
	return attempt_result(truncate(attempt_world.secret, 0));
}

int attempt_list_folder(void)
{
	return attempt_open(attempt_world.folder, O_RDONLY | O_DIRECTORY);
}

static int remove_secret(void)
{
	return attempt_result(unlink(attempt_world.secret));
}

int attempt_create_in_folder(void)
{
	return open_below(attempt_world.folder, O_WRONLY | O_CREAT | O_EXCL);
}

static int create_in_tmp(void)
{
	return open_below("/tmp", O_WRONLY | O_CREAT | O_EXCL);
}

static int create_in_shm(void)
{
	return open_below("/dev/shm", O_WRONLY | O_CREAT | O_EXCL);
}

static int create_in_etc(void)
{
	return open_below("/etc", O_WRONLY | O_CREAT | O_EXCL);
}

static int read_shadow(void)
{
	return attempt_open("/etc/shadow", O_RDONLY);
}

static int read_parents_memory(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)attempt_world.parent);

	return attempt_open(path, O_RDONLY);
}

static int G_GNUC_UNUSED read_parents_environment(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/environ", (int)attempt_world.parent);

	return attempt_open(path, O_RDONLY);
}

int attempt_exec_true(void)
{
	char *const argv[] = {(char *)"true", NULL};

	execv("/bin/true", argv);
	return errno;
}

static int exec_own_program(void)
{
	char *const argv[] = {(char *)"program", NULL};

	execv(attempt_world.program, argv);
	return errno;
}

static int exec_descriptor(void)
{
	char *const argv[] = {(char *)"true", NULL};
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);

	syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
	return errno;
}

static int fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return attempt_result(pid);
}

static int vfork_child(void)
{
	return attempt_result(syscall(SYS_clone, CLONE_VM | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int clone_by_structure(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return attempt_result(pid);
}

static int make_socket(int family, int type)
{
	autofd fd = socket(family, type, 0);

	return attempt_result(fd);
}

int attempt_socket_inet(void)
{
	return make_socket(AF_INET, SOCK_STREAM);
}

static int socket_inet6(void)
{
	return make_socket(AF_INET6, SOCK_DGRAM);
}

int attempt_socket_unix(void)
{
	return make_socket(AF_UNIX, SOCK_STREAM);
}

int attempt_socket_netlink(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW);
}

static int socket_pair(void)
{
	int fds[2];

	return attempt_result(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
}

static struct sockaddr_un unix_address(const char *path, socklen_t *ret_len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const size_t skip = path ? 0 : 1;

	g_strlcpy(address.sun_path + skip, path ? path : attempt_world.abstract_name,
		sizeof(address.sun_path) - skip);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + skip +
			       strlen(address.sun_path + skip));
	return address;
}

static int connect_abstract(void)
{
	socklen_t len;
	const struct sockaddr_un address = unix_address(NULL, &len);

	return attempt_result(
		connect(attempt_world.stream_fd, (const struct sockaddr *)&address, len));
}

static int connect_path(void)
{
	socklen_t len;
	const struct sockaddr_un address = unix_address(attempt_world.socket_path, &len);

	return attempt_result(
		connect(attempt_world.stream_fd, (const struct sockaddr *)&address, len));
}

static int bind_path(void)
{
	g_autofree char *path = g_strdup_printf("%s/b%d", attempt_world.folder, (int)getpid());
	socklen_t len;
	const struct sockaddr_un address = unix_address(path, &len);

	return attempt_result(
		bind(attempt_world.stream_fd, (const struct sockaddr *)&address, len));
}

static int filter_packets(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = {1, &all};

	return attempt_result(setsockopt(
		attempt_world.stream_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

static int send_to_address(void)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = 9, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return attempt_result(sendto(attempt_world.datagram_fd, "", 1, 0,
		(const struct sockaddr *)&address, sizeof(address)));
}

static int bind_tcp(void)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return attempt_result(
		bind(attempt_world.tcp_fd, (const struct sockaddr *)&address, sizeof(address)));
}

static int signal_parent(void)
{
	return attempt_result(kill(attempt_world.parent, 0));
}

static int signal_parents_thread(void)
{
	return attempt_result(syscall(SYS_tgkill, attempt_world.parent, attempt_world.parent, 0));
}

static int signal_everybody(void)
{
	return attempt_result(kill(-1, 0));
}

static int open_parents_pidfd(void)
{
	return attempt_result(syscall(SYS_pidfd_open, attempt_world.parent, 0));
}

static int own_signals_of_parent(void)
{
	return attempt_result(fcntl(attempt_world.stream_fd, F_SETOWN, attempt_world.parent));
}

static int own_signals_by_ioctl(void)
{
	int pid = attempt_world.parent;

	return attempt_result(ioctl(attempt_world.stream_fd, FIOSETOWN, &pid));
}

static int trace_parent(void)
{
	return attempt_result(ptrace(PTRACE_SEIZE, attempt_world.parent, NULL, NULL));
}

static int trace_me(void)
{
	return attempt_result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int read_parents_words(void)
{
	char byte;
	const struct iovec local = {&byte, 1}, remote = {&attempt_world, 1};

	return attempt_result(
		syscall(SYS_process_vm_readv, attempt_world.parent, &local, 1, &remote, 1, 0));
}

static int type_into_terminal(void)
{
	char letter = 'x';

	return attempt_result(ioctl(STDIN_FILENO, TIOCSTI, &letter));
}

static int set_user(void)
{
	return attempt_result(setresuid(geteuid(), geteuid(), geteuid()));
}

static int set_groups(void)
{
	return attempt_result(setgid(getegid()));
}

static int raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_CORE, &limit);
	return attempt_result(setrlimit(RLIMIT_CORE, &limit));
}

static int unshare_user(void)
{
	return attempt_result(unshare(CLONE_NEWUSER));
}

static int clone_user(void)
{
	return attempt_result(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

static int set_namespace(void)
{
	autofd fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return attempt_result(setns(fd, 0));
}

static int mount_tmpfs(void)
{
	return attempt_result(mount("none", "/proc", "tmpfs", 0, NULL));
}

static int change_root(void)
{
	return attempt_result(chroot("/"));
}

static int change_mode(void)
{
	return attempt_result(fchmod(attempt_world.file_fd, 0777));
}

static int make_link(void)
{
	g_autofree char *path = g_strdup_printf("%s/l%d", attempt_world.folder, (int)getpid());

	return attempt_result(symlink("/", path));
}

static int make_uring(void)
{
	struct io_uring_params params = {0};

	return attempt_result(syscall(SYS_io_uring_setup, 1, &params));
}

/* A leader of a process group is told EPERM, by who knows the call. */
static int leave_session(void)
{
	return setsid() < 0 && errno != EPERM ? errno : 0;
}

static int change_group(void)
{
	return attempt_result(setpgid(0, 0));
}

static int outlive_parent(void)
{
	return attempt_result(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
}

static int adopt_children(void)
{
	return attempt_result(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

static int load_bpf(void)
{
	char attributes[128] = {0};

	return attempt_result(syscall(SYS_bpf, 0, attributes, sizeof(attributes)));
}

static int handle_faults(void)
{
	return attempt_result(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
}

static int open_perf(void)
{
	struct perf_event_attr attributes = {.size = sizeof(attributes)};

	return attempt_result(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int ask_keyring(void)
{
	return attempt_result(
		syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
}

static int open_by_handle(void)
{
	char handle[64] = {0};

	return attempt_result(syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
}

static int change_personality(void)
{
	return attempt_result(syscall(SYS_personality, 0xffffffff));
}

static int allow_tracers(void)
{
	return attempt_result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

int attempt_make_code(void)
{
	void *page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? errno : 0;
}

static int turn_into_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return attempt_result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int add_filter(void)
{
	return attempt_result(prctl(PR_SET_SECCOMP, 2, NULL, 0, 0));
}

/* Below it are debugfs, tracefs and securityfs; what else is in /sys is asked for by name. */
static int list_sys_kernel(void)
{
	return attempt_open("/sys/kernel", O_RDONLY | O_DIRECTORY);
}

static int list_sys_fs(void)
{
	return attempt_open("/sys/fs", O_RDONLY | O_DIRECTORY);
}

const struct attempt attempts[] = {
	{"read-file", attempt_read_secret, ATTEMPT_FILES, 1, true, false},
	{"write-file", attempt_write_secret, ATTEMPT_FILES, 1, true, false},
	{"truncate-file", truncate_secret, ATTEMPT_FILES | ATTEMPT_FILTER, 3, true, false},
	{"list-folder", attempt_list_folder, ATTEMPT_FILES, 1, true, false},
	{"create-file", attempt_create_in_folder, ATTEMPT_FILES, 1, true, false},
	{"create-in-tmp", create_in_tmp, ATTEMPT_FILES, 1, true, false},
	{"create-in-shm", create_in_shm, ATTEMPT_FILES, 1, true, false},
	{"create-in-etc", create_in_etc, ATTEMPT_FILES, 1, true, false},
	{"read-shadow", read_shadow, ATTEMPT_FILES, 1, true, false},
	{"list-sys-kernel", list_sys_kernel, ATTEMPT_FILES, 1, true, false},
	{"list-sys-fs", list_sys_fs, ATTEMPT_FILES, 1, true, false},
	{"remove-file", remove_secret, ATTEMPT_FILES | ATTEMPT_FILTER, 1, false, false},
	{"make-link", make_link, ATTEMPT_FILES | ATTEMPT_FILTER, 1, true, false},
	{"parents-memory", read_parents_memory, ATTEMPT_FILES, 1, true, false},
#ifdef HAVE_CAP_NG /* CAP_PERFMON is enough for it in new kernels */
	{"parents-environment", read_parents_environment, ATTEMPT_FILES, 1, true, false},
#endif
	{"parents-words", read_parents_words, ATTEMPT_FILES | ATTEMPT_FILTER, 1, true, false},
	{"trace-parent", trace_parent, ATTEMPT_FILES | ATTEMPT_FILTER, 1, false, true},
	{"trace-me", trace_me, ATTEMPT_FILTER, 0, true, true},
	{"signal-parent", signal_parent, ATTEMPT_FILES | ATTEMPT_FILTER, 6, true, true},
	{"signal-thread", signal_parents_thread, ATTEMPT_FILES | ATTEMPT_FILTER, 6, true, true},
	{"signal-everybody", signal_everybody, ATTEMPT_FILTER, 0, true, true},
	{"pidfd", open_parents_pidfd, ATTEMPT_FILTER, 0, true, false},
	{"own-signals", own_signals_of_parent, ATTEMPT_FILTER, 0, true, false},
	{"own-signals-ioctl", own_signals_by_ioctl, ATTEMPT_FILTER, 0, true, false},
	{"terminal", type_into_terminal, ATTEMPT_FILTER, 0, false, false},
	{"exec", attempt_exec_true, ATTEMPT_FILTER, 0, true, false},
	{"exec-unknown", exec_own_program, ATTEMPT_FILES | ATTEMPT_FILTER, 1, true, false},
	{"execveat", exec_descriptor, ATTEMPT_FILTER, 0, true, false},
	{"fork", fork_child, ATTEMPT_FILTER, 0, true, true},
	{"clone", vfork_child, ATTEMPT_FILTER, 0, false, true},
	{"clone3", clone_by_structure, ATTEMPT_FILTER, 0, true, false},
	{"clone-user", clone_user, ATTEMPT_FILTER, 0, false, true},
	{"unshare", unshare_user, ATTEMPT_FILTER, 0, false, false},
	{"setns", set_namespace, ATTEMPT_FILTER, 0, false, false},
	{"socket-inet", attempt_socket_inet, ATTEMPT_FILTER, 0, true, false},
	{"socket-inet6", socket_inet6, ATTEMPT_FILTER, 0, false, false},
	{"socket-unix", attempt_socket_unix, ATTEMPT_FILTER, 0, true, false},
	{"socket-netlink", attempt_socket_netlink, ATTEMPT_FILTER, 0, true, false},
	{"socketpair", socket_pair, ATTEMPT_FILTER, 0, true, false},
	{"connect-abstract", connect_abstract, ATTEMPT_FILES | ATTEMPT_FILTER, 6, true, false},
	{"connect-path", connect_path, ATTEMPT_FILES | ATTEMPT_FILTER, 9, true, false},
	{"bind-path", bind_path, ATTEMPT_FILES | ATTEMPT_FILTER, 1, true, false},
	{"bind-tcp", bind_tcp, ATTEMPT_FILES | ATTEMPT_FILTER, 4, true, false},
	{"packet-filter", filter_packets, ATTEMPT_FILTER, 0, true, false},
	{"sendto", send_to_address, ATTEMPT_FILTER, 0, true, false},
	{"setuid", set_user, ATTEMPT_FILTER, 0, true, false},
	{"setgid", set_groups, ATTEMPT_FILTER, 0, true, false},
	{"setsid", leave_session, ATTEMPT_FILTER, 0, true, false},
	{"setpgid", change_group, ATTEMPT_FILTER, 0, true, false},
	{"outlive-parent", outlive_parent, ATTEMPT_FILTER, 0, true, true},
	{"adopt-children", adopt_children, ATTEMPT_FILTER, 0, true, true},
	{"setrlimit", raise_limit, ATTEMPT_FILTER, 0, true, true},
	{"mount", mount_tmpfs, ATTEMPT_FILES | ATTEMPT_FILTER, 1, false, false},
	{"chroot", change_root, ATTEMPT_FILTER, 0, false, false},
	{"chmod", change_mode, ATTEMPT_FILTER, 0, true, false},
	{"io_uring", make_uring, ATTEMPT_FILTER, 0, false, false},
	{"bpf", load_bpf, ATTEMPT_FILTER, 0, false, false},
	{"userfaultfd", handle_faults, ATTEMPT_FILTER, 0, false, false},
	{"perf", open_perf, ATTEMPT_FILTER, 0, false, false},
	{"keyctl", ask_keyring, ATTEMPT_FILTER, 0, false, false},
	{"file-handle", open_by_handle, ATTEMPT_FILTER, 0, false, false},
	{"personality", change_personality, ATTEMPT_FILTER, 0, true, false},
	{"dumpable", allow_tracers, ATTEMPT_FILTER, 0, true, true},
	{"make-code", attempt_make_code, ATTEMPT_FILTER, 0, true, true},
	{"turn-into-code", turn_into_code, ATTEMPT_FILTER, 0, true, false},
	{"more-filters", add_filter, ATTEMPT_FILTER, 0, false, true},
	{0},
};

/* The world */

void attempts_make_sockets(void)
{
	attempt_world.stream_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	attempt_world.datagram_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	attempt_world.tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int listen_at(const char *path)
{
	socklen_t len;
	const struct sockaddr_un address = unix_address(path, &len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, len), ==, 0);
	g_assert_cmpint(listen(fd, 64), ==, 0);
	return fd;
}

void attempts_make_world(void)
{
	attempt_world.parent = getpid();
	attempt_world.folder = g_dir_make_tmp("sandbox-XXXXXX", NULL);
	attempt_world.secret = g_build_filename(attempt_world.folder, "secret", NULL);
	attempt_world.program = g_build_filename(attempt_world.folder, "program", NULL);
	attempt_world.socket_path = g_build_filename(attempt_world.folder, "socket", NULL);
	attempt_world.abstract_name =
		g_strdup_printf("vhost-device-gpu-test-%d", (int)attempt_world.parent);
	g_assert_true(g_file_set_contents(attempt_world.secret, "secret", -1, NULL));
	g_assert_true(g_file_set_contents(attempt_world.program, "#!/bin/sh\nexit 0\n", -1, NULL));
	g_assert_cmpint(g_chmod(attempt_world.program, 0700), ==, 0);
	(void)listen_at(NULL);
	(void)listen_at(attempt_world.socket_path);
	attempt_world.file_fd = open(attempt_world.secret, O_RDWR | O_CLOEXEC);
}

void attempts_remove_world(void)
{
	g_autoptr(GDir) dir = g_dir_open(attempt_world.folder, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(attempt_world.folder, name, NULL);

		g_assert_cmpint(g_remove(path), ==, 0);
	}
	g_assert_cmpint(g_rmdir(attempt_world.folder), ==, 0);
}
