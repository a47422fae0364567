/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * The one table of options. Parsing (options.c), --help (usage.c), and at build time the man
 * page's section and the completions (generate.c) are made from it. Data only.
 */
#include "cli/option_table.h"

#include "cli/values.h"
#include "renderer/renderers.h"

const char *const option_levels[] = {"error", "warning", "info", "debug", NULL};

static const struct option_row table[OPTION_COUNT] = {
	[OPTION_SOCKET_PATH] =
		{
			.name = "socket-path",
			.short_name = 's',
			.value = OPTION_VALUE_PATH,
			.metavar = "PATH",
			.group = "Connection",
			.help = "listen on this Unix socket",
			.man = "Create a Unix socket at this path and serve every front-end that "
			       "connects to it, each in a process of its own. A socket that a "
			       "daemon left behind is replaced, one that a daemon still listens "
			       "on is not.",
		},
	[OPTION_FD] =
		{
			.name = "fd",
			.value = OPTION_VALUE_NUMBER,
			.metavar = "N",
			.help = "serve the connected socket that was inherited as descriptor N",
			.man = "Serve one front-end on a connected Unix stream socket, inherited "
			       "as this file descriptor, and exit when it hangs up, with the "
			       "exit status of its session. This is how libvirt starts the "
			       "program. The session is a process of its own, which begins with "
			       "the front-end's first byte. Not together with "
			       "\\fB\\-\\-socket\\-path\\fR.",
		},
	[OPTION_ONCE] =
		{
			.name = "once",
			.help = "exit after the first front-end, with its session's status",
			.man = "Exit when the first front-end has hung up, with the exit status "
			       "of its session.",
		},
	[OPTION_MAX_SESSIONS] =
		{
			.name = "max-sessions",
			.value = OPTION_VALUE_NUMBER,
			.metavar = "N",
			.initial = "64",
			.help = "front-ends served at the same time",
			.man = "How many front-ends are served at the same time, 1 to 4096. One "
			       "that is too many is hung up on.",
		},
	[OPTION_HANDSHAKE_TIMEOUT] =
		{
			.name = "handshake-timeout",
			.value = OPTION_VALUE_NUMBER,
			.metavar = "SECONDS",
			.initial = "30",
			.help = "hang up on a front-end that says nothing; 0: never",
			.man = "How long a connection may say nothing, in seconds up to 86400, "
			       "before it is hung up on; until then it counts for "
			       "\\fB\\-\\-max\\-sessions\\fR. 0 waits for ever.",
		},
	[OPTION_GPU_MODE] =
		{
			.name = "gpu-mode",
			.short_name = 'g',
			.value = OPTION_VALUE_MODE,
			.metavar = "MODE",
			.group = "Rendering",
			.help = "how to draw; without it, the best mode that starts",
			.man = "Which renderer executes the guest's commands, see MODES. Without "
			       "this option the first one that was built and starts on this host "
			       "is used, and a log line says which and why.",
		},
	[OPTION_VIRGL] =
		{
			.name = "virgl",
			.help = "the same as --gpu-mode virglrenderer",
			.man = "The same as \\fB\\-\\-gpu\\-mode virglrenderer\\fR; libvirt "
			       "passes it.",
		},
	[OPTION_CAPSET] =
		{
			.name = "capset",
			.short_name = 'c',
			.value = OPTION_VALUE_CAPSETS,
			.metavar = "LIST",
			.help = "capability sets to offer, with commas; without it, all that start",
			.man = "Which capability sets the guest is offered, separated by commas, "
			       "see MODES. Without this option these are all that the mode has "
			       "and the host can start. Without \\fB\\-\\-gpu\\-mode\\fR the "
			       "list decides the mode.",
		},
	[OPTION_GPU_DEVICE] =
		{
			.name = "gpu-device",
			.value = OPTION_VALUE_PATH,
			.metavar = "PATH",
			.help = "render node to draw with, such as /dev/dri/renderD128",
			.man = "The render node of the GPU to draw with, such as "
			       "\\fI/dev/dri/renderD128\\fR. Without this option the renderer "
			       "chooses, and draws in software on a host that has none.",
		},
	[OPTION_RENDER_NODE] =
		{
			.name = "render-node",
			.value = OPTION_VALUE_PATH,
			.metavar = "PATH",
			.help = "the same as --gpu-device",
			.man = "The same as \\fB\\-\\-gpu\\-device\\fR; libvirt passes it.",
		},
	[OPTION_HEADLESS] =
		{
			.name = "headless",
			.group = "Device",
			.help = "show nothing, even if the front-end offers a display socket",
			.man = "Show nothing: a display socket that the front-end offers is not "
			       "used. Front-ends that offer none need no option.",
		},
	[OPTION_OUTPUTS] =
		{
			.name = "outputs",
			.value = OPTION_VALUE_TEXT,
			.metavar = "LIST",
			.initial = "1280x800",
			.help = "outputs where the front-end has no display: WxH[+off], with commas",
			.man = "The outputs that the guest sees where the front-end has no "
			       "display of its own, separated by commas: the size of each in "
			       "pixels, and \\fB+off\\fR behind it for one that is not "
			       "connected yet, as in \\fB1280x800,1920x1080+off\\fR. At most 16. "
			       "A front-end with a display, such as QEMU\\(aqs "
			       "\\fBvhost\\-user\\-gpu\\-pci\\fR, has options of its own: "
			       "\\fBmax_outputs\\fR, \\fBxres\\fR and \\fByres\\fR.",
		},
	[OPTION_CONTROL] =
		{
			.name = "control",
			.value = OPTION_VALUE_PATH,
			.metavar = "DIRECTORY",
			.help = "where each session puts a socket to change its outputs by",
			.man = "A directory in which each session listens on a socket "
			       "\\fIsession\\-PID.sock\\fR, for its own user only. It takes lines: "
			       "\\fBoutputs\\fR lists the outputs, \\fBoutput\\fR \\fIN\\fR "
			       "\\fIWIDTH\\fBx\\fIHEIGHT\\fR connects one or changes its "
			       "size, \\fBoutput\\fR \\fIN\\fR \\fBoff\\fR disconnects it; the "
			       "guest is told, as when a screen is plugged in. Each line is "
			       "answered with \\fBok\\fR or an error.",
		},
	[OPTION_USE_DMABUF] =
		{
			.name = "use-dmabuf",
			.value = OPTION_VALUE_BOOL,
			.metavar = "BOOL",
			.initial = "true",
			.help = "show pictures as dma-bufs where the host can export them",
			.man = "Give the front-end's display dma-bufs where the host can export "
			       "them, so that no pixels are copied. A front-end whose display "
			       "has no GL (QEMU with VNC, without gl=on, or with none) shows "
			       "nothing then: use \\fB\\-\\-use\\-dmabuf=false\\fR for it.",
		},
	[OPTION_SHADER_CACHE] =
		{
			.name = "shader-cache",
			.value = OPTION_VALUE_PATH,
			.metavar = "DIRECTORY",
			.help = "keep one VM's compiled shaders here; without it, none are kept",
			.man = "Let the host's GL and Vulkan drivers keep compiled shaders in this "
			       "directory, which is made if it is not there and has to belong to "
			       "the user alone. What is in it was written on behalf of a guest, so "
			       "give each VM a directory of its own, and a daemon of its own with "
			       "\\fB\\-\\-max\\-sessions\\ 1\\fR or \\fB\\-\\-fd\\fR: a second "
			       "session at the same time has none. Without this option no shaders "
			       "are kept.",
		},
	[OPTION_POLL_US] =
		{
			.name = "poll-us",
			.value = OPTION_VALUE_TEXT,
			.metavar = "N|auto",
			.initial = "auto",
			.help = "look for commands for N microseconds after each; 0: be woken",
			.man = "After each piece of work go on looking for the guest's next "
			       "command, and for the end of what is being drawn, for so many "
			       "microseconds, up to 1000000, before the process sleeps and has "
			       "to be woken for either. This makes single "
			       "commands several times faster and takes a CPU for that time; a "
			       "guest that is idle costs none. With \\fBauto\\fR that is done "
			       "where sleeping costs as much: for 50 microseconds, while commands "
			       "follow each other that closely and are found. 50 to 200 is a good "
			       "choice where there are CPUs to spare, 0 where there are none.",
		},
	[OPTION_HOSTMEM] =
		{
			.name = "hostmem",
			.value = OPTION_VALUE_NUMBER,
			.metavar = "SIZE",
			.initial = "4G",
			.help = "size of the region in which the guest sees host memory; 0: none",
			.man = "Size of the host-visible shared memory region, in which the guest "
			       "maps blob resources, in bytes or with a suffix K, M, G or T; a "
			       "power of two, at least 1M, or 0 for none. It is address space "
			       "of the guest and costs no memory.",
		},
	[OPTION_SANDBOX] =
		{
			.name = "sandbox",
			.value = OPTION_VALUE_SANDBOX,
			.metavar = "MODE",
			.initial = "on",
			.group = "Other",
			.help = "confine sessions: on, off, log or required",
			.man = "What a session gives up before it hears its front-end, so that a "
			       "guest that takes it over gains little: \\fBon\\fR closes the file "
			       "system but for what drivers need, drops all capabilities and "
			       "refuses all system calls that are not needed, as far as the "
			       "kernel can; a line of the log says what is missing. "
			       "\\fBrequired\\fR is the same, and refuses to serve where the "
			       "kernel or a container lacks a part that this build has. "
			       "\\fBlog\\fR refuses nothing: calls that would be refused are in the kernel\\(aqs "
			       "log (audit, or dmesg). \\fBoff\\fR does nothing.",
		},
	[OPTION_LOG_LEVEL] =
		{
			.name = "log-level",
			.value = OPTION_VALUE_LEVEL,
			.metavar = "LEVEL",
			.initial = "info",
			.help = "error, warning, info or debug",
			.man = "The least important lines that are logged: \\fBerror\\fR, "
			       "\\fBwarning\\fR, \\fBinfo\\fR (a few lines for each front-end) "
			       "or \\fBdebug\\fR (each message and command). They go to standard "
			       "error or, where that is \\fI/dev/null\\fR, to the journal or "
			       "syslog. Lines of a session begin with its number; below "
			       "\\fBdebug\\fR a session may print 2000 in two minutes, and the "
			       "log says how many more were left out.",
		},
	[OPTION_PRINT_CAPABILITIES] =
		{
			.name = "print-capabilities",
			.help = "print what this host can do as JSON, for libvirt",
			.man = "Print what this program can do on this host as JSON and exit, as "
			       "QEMU's vhost\\-user document has it. \\fBvirgl\\fR is in the "
			       "list where OpenGL starts with the options that are given, "
			       "\\fBrender\\-node\\fR where the host has one.",
		},
	[OPTION_HELP] =
		{
			.name = "help",
			.short_name = 'h',
			.help = "print this",
			.man = "Print a summary of the options and exit.",
		},
	[OPTION_VERSION] =
		{
			.name = "version",
			.short_name = 'V',
			.help = "print the version",
			.man = "Print the version and exit.",
		},
};

static struct option_row row_of(const struct renderer_option *option)
{
	return (struct option_row){
		.name = option->name,
		.value = option->metavar ? OPTION_VALUE_TEXT : OPTION_VALUE_BOOL,
		.metavar = option->metavar ? option->metavar : "BOOL",
		.initial = option->initial,
		.help = option->help,
		.man = option->man,
		.renderer_option = option,
	};
}

static struct option_row row_of_limit(enum gpu_limit id)
{
	const struct gpu_limit_row *limit = &gpu_limit_rows[id];

	return (struct option_row){
		.name = limit->option,
		.value = OPTION_VALUE_NUMBER,
		.metavar = limit->is_size ? "SIZE" : "N",
		.initial = limit->is_size ? value_format_size(limit->initial)
					  : g_strdup_printf("%" G_GUINT64_FORMAT, limit->initial),
		.group = id == 0 ? "Limits of one guest" : NULL,
		.help = limit->help,
		.man = limit->man,
		.limit = limit,
	};
}

static bool is_listed(
	const struct option_row *rows, int count, const struct renderer_option *option)
{
	for (int i = 0; i < count; i++)
		if (rows[i].renderer_option == option)
			return true;
	return false;
}

/* Appends the options of all modes, each once. Return: how many rows there are then. */
static int add_renderers(struct option_row *rows, int count)
{
	for (const struct renderer_type *type = renderer_types; type->name; type++)
		for (const struct renderer_option *const *option = type->options;
			option && *option && count < OPTION_MAX_COUNT; option++)
			if (!is_listed(rows, count, *option))
				rows[count++] = row_of(*option);
	return count;
}

const struct option_rows *option_rows_get(void)
{
	static struct option_rows rows;

	if (rows.count > 0)
		return &rows;
	/* The modes' options stand where drawing is spoken of. */
	for (int id = 0; id < OPTION_COUNT; id++) {
		rows.row[rows.count] = table[id];
		rows.row[rows.count++].id = (enum option_id)id;
		if (id == OPTION_RENDER_NODE)
			rows.count = add_renderers(rows.row, rows.count);
		for (int limit = 0; id == OPTION_HOSTMEM && limit < GPU_LIMIT_COUNT; limit++)
			rows.row[rows.count++] = row_of_limit((enum gpu_limit)limit);
	}
	return &rows;
}
