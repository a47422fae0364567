/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */

/*
 * Says whether this host's EGL can hand out what it drew as a dma-buf: clears a texture, exports
 * it with EGL_MESA_image_dma_buf_export, maps the dma-buf and compares a pixel. Without an
 * argument on EGL's surfaceless platform, otherwise on the render node named. Exit status 0 when
 * the pixel is right, 1 when any step fails; stdout says which format and modifier came out.
 */

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <GLES2/gl2ext.h>
#include <fcntl.h>
#include <gbm.h>
#include <linux/dma-buf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define WIDTH  128
#define HEIGHT 64

/* A dma-buf with one plane, as the driver describes it. */
struct exported {
	int fd;
	int fourcc;
	EGLuint64KHR modifier;
	EGLint stride;
	EGLint offset;
};

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "dmabuf_probe: %s (EGL error 0x%x)\n", what, eglGetError());
	exit(1);
}

static EGLDisplay open_display(const char *node)
{
	struct gbm_device *gbm;
	EGLDisplay display;
	int fd;

	if (!node)
		return eglGetPlatformDisplay(
			EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror(node);
		exit(1);
	}
	/* Both live as long as the program: EGL keeps using them. */
	gbm = gbm_create_device(fd);
	if (!gbm)
		fail("gbm_create_device");
	display = eglGetPlatformDisplay(EGL_PLATFORM_GBM_KHR, gbm, NULL);
	return display;
}

static EGLContext make_context(EGLDisplay display)
{
	static const EGLint attributes[] = {EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE};
	EGLContext context;

	if (display == EGL_NO_DISPLAY || !eglInitialize(display, NULL, NULL))
		fail("eglInitialize");
	eglBindAPI(EGL_OPENGL_ES_API);
	context = eglCreateContext(display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);
	if (context == EGL_NO_CONTEXT)
		fail("eglCreateContext");
	if (!eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context))
		fail("eglMakeCurrent");
	printf("renderer: %s\n", (const char *)glGetString(GL_RENDERER));
	return context;
}

/* Leaves a texture that is filled with R=0x20 G=0x40 B=0x80 A=0xff. */
static GLuint draw_texture(void)
{
	GLuint framebuffer;
	GLuint texture;

	glGenTextures(1, &texture);
	glBindTexture(GL_TEXTURE_2D, texture);
	glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, WIDTH, HEIGHT, 0, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
	glGenFramebuffers(1, &framebuffer);
	glBindFramebuffer(GL_FRAMEBUFFER, framebuffer);
	glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture, 0);
	if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
		fail("framebuffer");
	glClearColor(0x20 / 255.0f, 0x40 / 255.0f, 0x80 / 255.0f, 1.0f);
	glClear(GL_COLOR_BUFFER_BIT);
	glFinish();
	return texture;
}

static EGLImageKHR make_image(EGLDisplay display, EGLContext context, GLuint texture)
{
	PFNEGLCREATEIMAGEKHRPROC create_image =
		(PFNEGLCREATEIMAGEKHRPROC)eglGetProcAddress("eglCreateImageKHR");
	EGLImageKHR image;

	if (!create_image)
		fail("no eglCreateImageKHR");
	image = create_image(
		display, context, EGL_GL_TEXTURE_2D_KHR, (EGLClientBuffer)(uintptr_t)texture, NULL);
	if (image == EGL_NO_IMAGE_KHR)
		fail("eglCreateImageKHR");
	return image;
}

static void export_image(EGLDisplay display, EGLImageKHR image, struct exported *ret_exported)
{
	const char *extensions = eglQueryString(display, EGL_EXTENSIONS);
	PFNEGLEXPORTDMABUFIMAGEQUERYMESAPROC query;
	PFNEGLEXPORTDMABUFIMAGEMESAPROC export;
	int plane_count;

	if (!extensions || !strstr(extensions, "EGL_MESA_image_dma_buf_export"))
		fail("no EGL_MESA_image_dma_buf_export");
	query = (PFNEGLEXPORTDMABUFIMAGEQUERYMESAPROC)eglGetProcAddress(
		"eglExportDMABUFImageQueryMESA");
	export = (PFNEGLEXPORTDMABUFIMAGEMESAPROC)eglGetProcAddress("eglExportDMABUFImageMESA");
	if (!query(display, image, &ret_exported->fourcc, &plane_count, &ret_exported->modifier))
		fail("eglExportDMABUFImageQueryMESA");
	if (plane_count != 1)
		fail("more than one plane");
	if (!export(display, image, &ret_exported->fd, &ret_exported->stride,
		    &ret_exported->offset) ||
		ret_exported->fd < 0)
		fail("eglExportDMABUFImageMESA");
}

static int check_pixel(const struct exported *exported)
{
	static const uint8_t wanted[4] = {0x20, 0x40, 0x80, 0xff};
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ};
	const size_t at =
		exported->offset + (size_t)exported->stride * (HEIGHT / 2) + WIDTH / 2 * 4;
	const size_t map_len = exported->offset + (size_t)exported->stride * HEIGHT;
	uint8_t *map = mmap(NULL, map_len, PROT_READ, MAP_SHARED, exported->fd, 0);
	int right;

	if (map == MAP_FAILED) {
		perror("dmabuf_probe: mmap of the dma-buf");
		return 1;
	}
	if (ioctl(exported->fd, DMA_BUF_IOCTL_SYNC, &sync) < 0)
		perror("dmabuf_probe: DMA_BUF_IOCTL_SYNC");
	right = memcmp(&map[at], wanted, sizeof(wanted)) == 0;
	printf("pixel: %02x%02x%02x%02x %s\n", map[at], map[at + 1], map[at + 2], map[at + 3],
		right ? "right" : "WRONG");
	munmap(map, map_len);
	return right ? 0 : 1;
}

int main(int argc, char **argv)
{
	EGLDisplay display = open_display(argc > 1 ? argv[1] : NULL);
	EGLContext context = make_context(display);
	GLuint texture = draw_texture();
	EGLImageKHR image = make_image(display, context, texture);
	struct exported exported;

	export_image(display, image, &exported);
	printf("dma-buf: fourcc %.4s modifier 0x%llx stride %d offset %d size %lld\n",
		(const char *)&exported.fourcc, (unsigned long long)exported.modifier,
		exported.stride, exported.offset, (long long)lseek(exported.fd, 0, SEEK_END));
	return check_pixel(&exported);
}
