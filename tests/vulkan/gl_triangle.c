/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */

/*
 * Draws a triangle with OpenGL ES on EGL's surfaceless platform, reads the picture back and checks
 * it: the colour it was cleared with outside, the interpolated colours of the corners inside.
 * Exit status 0 when all is right; stdout names the renderer.
 */

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES2/gl2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE 256

static const char vertex_source[] = "attribute vec2 position;\n"
				    "attribute vec3 colour;\n"
				    "varying vec3 shade;\n"
				    "void main() {\n"
				    "	shade = colour;\n"
				    "	gl_Position = vec4(position, 0.0, 1.0);\n"
				    "}\n";
static const char fragment_source[] = "precision mediump float;\n"
				      "varying vec3 shade;\n"
				      "void main() { gl_FragColor = vec4(shade, 1.0); }\n";

/* x, y, red, green, blue */
static const float corners[] = {-0.75f, -0.75f, 1, 0, 0, 0.75f, -0.75f, 0, 1, 0, 0, 0.75f, 0, 0, 1};

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "gl_triangle: %s (EGL 0x%x, GL 0x%x)\n", what, eglGetError(), glGetError());
	exit(1);
}

static void make_context(void)
{
	static const EGLint attributes[] = {EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE};
	EGLDisplay display =
		eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
	EGLContext context;

	if (display == EGL_NO_DISPLAY || !eglInitialize(display, NULL, NULL))
		fail("eglInitialize");
	eglBindAPI(EGL_OPENGL_ES_API);
	context = eglCreateContext(display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);
	if (context == EGL_NO_CONTEXT ||
		!eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context))
		fail("no context");
	printf("renderer: %s\n", (const char *)glGetString(GL_RENDERER));
}

static void make_target(void)
{
	GLuint texture;
	GLuint framebuffer;

	glGenTextures(1, &texture);
	glBindTexture(GL_TEXTURE_2D, texture);
	glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, SIZE, SIZE, 0, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
	glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
	glGenFramebuffers(1, &framebuffer);
	glBindFramebuffer(GL_FRAMEBUFFER, framebuffer);
	glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture, 0);
	if (glCheckFramebufferStatus(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
		fail("the framebuffer is not complete");
	glViewport(0, 0, SIZE, SIZE);
}

static GLuint compile(GLenum stage, const char *source)
{
	GLuint shader = glCreateShader(stage);
	GLint ok = 0;

	glShaderSource(shader, 1, &source, NULL);
	glCompileShader(shader);
	glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
	if (!ok)
		fail("a shader does not compile");
	return shader;
}

static void draw(void)
{
	GLuint program = glCreateProgram();

	glAttachShader(program, compile(GL_VERTEX_SHADER, vertex_source));
	glAttachShader(program, compile(GL_FRAGMENT_SHADER, fragment_source));
	glBindAttribLocation(program, 0, "position");
	glBindAttribLocation(program, 1, "colour");
	glLinkProgram(program);
	glUseProgram(program);
	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 5 * sizeof(float), corners);
	glVertexAttribPointer(1, 3, GL_FLOAT, GL_FALSE, 5 * sizeof(float), corners + 2);
	glEnableVertexAttribArray(0);
	glEnableVertexAttribArray(1);
	glClearColor(0.2f, 0.4f, 0.6f, 1.0f);
	glClear(GL_COLOR_BUFFER_BIT);
	glDrawArrays(GL_TRIANGLES, 0, 3);
	if (glGetError() != GL_NO_ERROR)
		fail("drawing");
}

static int is_near(const uint8_t *pixel, int red, int green, int blue)
{
	return abs(pixel[0] - red) <= 6 && abs(pixel[1] - green) <= 6 && abs(pixel[2] - blue) <= 6;
}

static void check(void)
{
	static uint8_t pixels[SIZE][SIZE][4];

	glReadPixels(0, 0, SIZE, SIZE, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
	if (glGetError() != GL_NO_ERROR)
		fail("reading back");
	if (!is_near(pixels[2][2], 51, 102, 153) || !is_near(pixels[253][253], 51, 102, 153) ||
		!is_near(pixels[200][40], 51, 102, 153))
		fail("the background is wrong");
	/* The middle of the triangle has a third of each corner's colour. */
	if (!is_near(pixels[96][128], 85, 85, 85))
		fail("the middle of the triangle is wrong");
	if (pixels[36][40][0] < 220 || pixels[36][215][1] < 220 || pixels[216][128][2] < 220)
		fail("a corner of the triangle is wrong");
	puts("triangle: right");
}

int main(void)
{
	make_context();
	make_target();
	draw();
	check();
	return 0;
}
