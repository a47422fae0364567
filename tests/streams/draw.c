/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
/*
 * Uses as much of OpenGL as fits on a page, so that a driver sends every command that it has: what
 * `record` records. The pictures do not matter, and an extension that is missing is skipped.
 *
 *	draw gl|es
 */
#include <epoxy/egl.h>
#include <epoxy/gl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 64

static bool is_es;

static const char vertex_text[] =
	"in vec4 place; in vec2 where; out vec2 coord; uniform mat4 turn;\n"
	"void main() { coord = where; gl_PointSize = 2.0; gl_Position = turn * place; }\n";
static const char fragment_text[] = "in vec2 coord; out vec4 colour; uniform sampler2D picture;\n"
				    "layout(std140) uniform Block { vec4 tint; };\n"
				    "void main() { colour = texture(picture, coord) * tint; }\n";
static const char geometry_text[] =
	"layout(triangles) in; layout(triangle_strip, max_vertices = 3) out;\n"
	"in vec2 coord[]; out vec2 seen;\n"
	"void main() { for (int i = 0; i < 3; i++) { seen = coord[i];\n"
	"gl_Position = gl_in[i].gl_Position; EmitVertex(); } EndPrimitive(); }\n";
static const char seen_text[] =
	"in vec2 seen; out vec4 colour; void main() { colour = vec4(seen, 0.0, 1.0); }\n";
static const char control_text[] =
	"layout(vertices = 3) out; in vec2 coord[]; out vec2 inner[];\n"
	"void main() { inner[gl_InvocationID] = coord[gl_InvocationID];\n"
	"gl_out[gl_InvocationID].gl_Position = gl_in[gl_InvocationID].gl_Position;\n"
	"gl_TessLevelOuter[0] = gl_TessLevelOuter[1] = gl_TessLevelOuter[2] = 2.0;\n"
	"gl_TessLevelInner[0] = 2.0; }\n";
static const char evaluation_text[] =
	"layout(triangles) in; in vec2 inner[]; out vec2 seen;\n"
	"void main() { seen = inner[0]; gl_Position = gl_in[0].gl_Position * gl_TessCoord.x +\n"
	"gl_in[1].gl_Position * gl_TessCoord.y + gl_in[2].gl_Position * gl_TessCoord.z; }\n";
static const char compute_text[] =
	"layout(local_size_x = 4) in; layout(std430, binding = 0) buffer Data { uint words[]; };\n"
	"layout(binding = 0, offset = 0) uniform atomic_uint count;\n"
	"layout(rgba8, binding = 0) writeonly uniform highp image2D picture;\n"
	"void main() { uint i = gl_GlobalInvocationID.x; words[i] = i + atomicCounterIncrement(count);\n"
	"imageStore(picture, ivec2(i, 0), vec4(1.0)); }\n";

static GLuint compile(GLenum kind, const char *text)
{
	const char *parts[] = {is_es ? "#version 310 es\nprecision highp float;\n"
				       "precision highp int;\n"
				     : "#version 430\n",
		text};
	const GLuint shader = glCreateShader(kind);
	char log[1024] = "";
	GLint done;

	glShaderSource(shader, 2, parts, NULL);
	glCompileShader(shader);
	glGetShaderiv(shader, GL_COMPILE_STATUS, &done);
	glGetShaderInfoLog(shader, sizeof(log), NULL, log);
	if (!done)
		fprintf(stderr, "draw: %s\n", log);
	return shader;
}

static GLuint link_program(size_t count, const GLuint *shaders, const char *feedback)
{
	const GLuint program = glCreateProgram();

	for (size_t i = 0; i < count; i++)
		glAttachShader(program, shaders[i]);
	glBindAttribLocation(program, 0, "place");
	glBindAttribLocation(program, 1, "where");
	if (feedback)
		glTransformFeedbackVaryings(program, 1, &feedback, GL_INTERLEAVED_ATTRIBS);
	glLinkProgram(program);
	return program;
}

static GLuint buffer_of(GLenum target, size_t len, GLenum usage)
{
	uint8_t *bytes = malloc(len);
	GLuint buffer;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7);
	glGenBuffers(1, &buffer);
	glBindBuffer(target, buffer);
	glBufferData(target, (GLsizeiptr)len, bytes, usage);
	free(bytes);
	return buffer;
}

static uint8_t *pixels_of(size_t len)
{
	static uint8_t pixels[SIDE * SIDE * 16 * 8];

	for (size_t i = 0; i < len && i < sizeof(pixels); i++)
		pixels[i] = (uint8_t)(i * 13);
	return pixels;
}

static GLuint target_of(GLenum format, GLint samples, GLuint *ret_texture)
{
	GLuint frame, depth;

	glGenFramebuffers(1, &frame);
	glBindFramebuffer(GL_FRAMEBUFFER, frame);
	if (samples > 0) {
		glGenRenderbuffers(1, ret_texture);
		glBindRenderbuffer(GL_RENDERBUFFER, *ret_texture);
		glRenderbufferStorageMultisample(GL_RENDERBUFFER, samples, format, SIDE, SIDE);
		glFramebufferRenderbuffer(
			GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, *ret_texture);
	} else {
		glGenTextures(1, ret_texture);
		glBindTexture(GL_TEXTURE_2D, *ret_texture);
		glTexStorage2D(GL_TEXTURE_2D, 3, format, SIDE, SIDE);
		glFramebufferTexture2D(
			GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, *ret_texture, 0);
	}
	glGenRenderbuffers(1, &depth);
	glBindRenderbuffer(GL_RENDERBUFFER, depth);
	glRenderbufferStorageMultisample(GL_RENDERBUFFER, samples, GL_DEPTH24_STENCIL8, SIDE, SIDE);
	glFramebufferRenderbuffer(
		GL_FRAMEBUFFER, GL_DEPTH_STENCIL_ATTACHMENT, GL_RENDERBUFFER, depth);
	glViewport(0, 0, SIDE, SIDE);
	glClearColor(0.2f, 0.4f, 0.6f, 1.0f);
	glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT | GL_STENCIL_BUFFER_BIT);
	return frame;
}

static void use_textures(void)
{
	static const struct {
		GLenum target, format, outer, type;
	} kinds[] = {
		{GL_TEXTURE_2D, GL_RGBA8, GL_RGBA, GL_UNSIGNED_BYTE},
		{GL_TEXTURE_2D, GL_RGBA32F, GL_RGBA, GL_FLOAT},
		{GL_TEXTURE_2D, GL_R8, GL_RED, GL_UNSIGNED_BYTE},
		{GL_TEXTURE_2D, GL_RGB565, GL_RGB, GL_UNSIGNED_SHORT_5_6_5},
		{GL_TEXTURE_2D, GL_SRGB8_ALPHA8, GL_RGBA, GL_UNSIGNED_BYTE},
		{GL_TEXTURE_2D, GL_DEPTH_COMPONENT24, GL_DEPTH_COMPONENT, GL_UNSIGNED_INT},
		{GL_TEXTURE_2D, GL_RGBA16UI, GL_RGBA_INTEGER, GL_UNSIGNED_SHORT},
		{GL_TEXTURE_3D, GL_RGBA8, GL_RGBA, GL_UNSIGNED_BYTE},
		{GL_TEXTURE_2D_ARRAY, GL_RGBA8, GL_RGBA, GL_UNSIGNED_BYTE},
		{GL_TEXTURE_CUBE_MAP, GL_RGBA8, GL_RGBA, GL_UNSIGNED_BYTE},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const GLenum target = kinds[i].target;
		GLuint texture, copy;

		glGenTextures(1, &texture);
		glBindTexture(target, texture);
		if (target == GL_TEXTURE_3D || target == GL_TEXTURE_2D_ARRAY) {
			glTexStorage3D(target, 2, kinds[i].format, SIDE, SIDE, 4);
			glTexSubImage3D(target, 0, 0, 0, 0, SIDE, SIDE, 4, kinds[i].outer,
				kinds[i].type, pixels_of(SIDE * SIDE * 16));
		} else {
			glTexStorage2D(target, 3, kinds[i].format, SIDE, SIDE);
			glTexSubImage2D(target == GL_TEXTURE_CUBE_MAP
						? GL_TEXTURE_CUBE_MAP_POSITIVE_X
						: target,
				0, 3, 5, 20, 20, kinds[i].outer, kinds[i].type,
				pixels_of(SIDE * SIDE * 16));
		}
		if (kinds[i].outer != GL_RGBA_INTEGER && kinds[i].outer != GL_DEPTH_COMPONENT)
			glGenerateMipmap(target);
		if (epoxy_has_gl_extension("GL_ARB_copy_image")) {
			glGenTextures(1, &copy);
			glBindTexture(target, copy);
			if (target == GL_TEXTURE_3D || target == GL_TEXTURE_2D_ARRAY)
				glTexStorage3D(target, 2, kinds[i].format, SIDE, SIDE, 4);
			else
				glTexStorage2D(target, 3, kinds[i].format, SIDE, SIDE);
			glCopyImageSubData(texture, target, 1, 0, 0, 0, copy, target, 1, 0, 0, 0,
				SIDE / 2, SIDE / 2, target == GL_TEXTURE_2D ? 1 : 3);
		}
		if (epoxy_has_gl_extension("GL_ARB_clear_texture"))
			glClearTexImage(texture, 0, kinds[i].outer, kinds[i].type, NULL);
		if (epoxy_has_gl_extension("GL_ARB_get_texture_sub_image"))
			glGetTextureSubImage(texture, 0, 4, 4, 0, 20, 20, 1, kinds[i].outer,
				kinds[i].type, SIDE * SIDE * 16, pixels_of(0));
		glTexParameteri(target, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
	}
}

static void use_compressed(void)
{
	const GLenum format = is_es ? GL_COMPRESSED_RGB8_ETC2 : GL_COMPRESSED_RED_RGTC1;
	GLuint textures[2];

	glGenTextures(2, textures);
	for (size_t i = 0; i < 2; i++) {
		glBindTexture(GL_TEXTURE_2D, textures[i]);
		glTexStorage2D(GL_TEXTURE_2D, 4, format, 32, 32);
		glCompressedTexSubImage2D(
			GL_TEXTURE_2D, 0, 0, 0, 32, 32, format, 8 * 8 * 8, pixels_of(8 * 8 * 8));
		glCompressedTexSubImage2D(
			GL_TEXTURE_2D, 3, 0, 0, 4, 4, format, 8, pixels_of(8 * 8 * 8));
	}
	if (epoxy_has_gl_extension("GL_ARB_copy_image"))
		glCopyImageSubData(textures[0], GL_TEXTURE_2D, 0, 4, 4, 0, textures[1],
			GL_TEXTURE_2D, 0, 8, 8, 0, 16, 16, 1);
}

static void use_state(void)
{
	glEnable(GL_DEPTH_TEST);
	glEnable(GL_STENCIL_TEST);
	glStencilFuncSeparate(GL_FRONT, GL_ALWAYS, 3, 0xff);
	glEnable(GL_BLEND);
	glBlendColor(0.1f, 0.2f, 0.3f, 0.4f);
	glBlendFunc(GL_CONSTANT_COLOR, GL_ONE);
	glEnable(GL_SCISSOR_TEST);
	glScissor(2, 3, 40, 50);
	glEnable(GL_SAMPLE_MASK);
	glSampleMaski(0, 0x5);
	if (epoxy_has_gl_extension("GL_ARB_sample_shading")) {
		glEnable(GL_SAMPLE_SHADING);
		glMinSampleShading(1.0f);
	}
	if (epoxy_has_gl_extension("GL_ARB_viewport_array")) {
		glViewportIndexedf(1, 0, 0, 20, 20);
		glScissorIndexed(1, 0, 0, 20, 20);
	}
	if (epoxy_has_gl_extension("GL_ARB_draw_buffers_blend"))
		glBlendEquationi(0, GL_FUNC_SUBTRACT);
	if (!is_es) {
		glEnable(GL_CLIP_DISTANCE0);
		glEnable(GL_PROGRAM_POINT_SIZE);
		glEnable(GL_PRIMITIVE_RESTART);
		glPrimitiveRestartIndex(0xff);
	}
	glLineWidth(2);
	glPolygonOffset(1, 2);
	glEnable(GL_POLYGON_OFFSET_FILL);
}

static void draw_with_queries(void)
{
	static const GLenum kinds[] = {
		GL_ANY_SAMPLES_PASSED, GL_SAMPLES_PASSED, GL_TIME_ELAPSED, GL_PRIMITIVES_GENERATED};
	GLuint query, result;

	for (size_t i = 0; i < (is_es ? 1 : 4); i++) {
		glGenQueries(1, &query);
		glBeginQuery(kinds[i], query);
		glDrawArrays(GL_TRIANGLES, 0, 3);
		glEndQuery(kinds[i]);
		if (!is_es && i == 1) {
			glBeginConditionalRender(query, GL_QUERY_WAIT);
			glDrawArrays(GL_TRIANGLES, 0, 3);
			glEndConditionalRender();
		}
		glGetQueryObjectuiv(query, GL_QUERY_RESULT, &result);
		if (epoxy_has_gl_extension("GL_ARB_query_buffer_object")) {
			buffer_of(GL_QUERY_BUFFER, 64, GL_DYNAMIC_COPY);
			glGetQueryObjectuiv(query, GL_QUERY_RESULT, NULL);
			glBindBuffer(GL_QUERY_BUFFER, 0);
		}
		glDeleteQueries(1, &query);
	}
	if (epoxy_has_gl_extension("GL_ARB_timer_query")) {
		glGenQueries(1, &query);
		glQueryCounter(query, GL_TIMESTAMP);
		glGetQueryObjectuiv(query, GL_QUERY_RESULT, &result);
	}
}

static void use_feedback(void)
{
	const GLuint buffer = buffer_of(GL_TRANSFORM_FEEDBACK_BUFFER, 1024, GL_DYNAMIC_READ);

	glBindBufferBase(GL_TRANSFORM_FEEDBACK_BUFFER, 0, buffer);
	glBeginTransformFeedback(GL_TRIANGLES);
	glDrawArrays(GL_TRIANGLES, 0, 3);
	glEndTransformFeedback();
	glMapBufferRange(GL_TRANSFORM_FEEDBACK_BUFFER, 0, 96, GL_MAP_READ_BIT);
	glUnmapBuffer(GL_TRANSFORM_FEEDBACK_BUFFER);
}

static void use_buffers(void)
{
	GLuint from, to;
	void *bytes;

	from = buffer_of(GL_COPY_READ_BUFFER, 4096, GL_DYNAMIC_DRAW);
	to = buffer_of(GL_COPY_WRITE_BUFFER, 8192, GL_STREAM_READ);
	glCopyBufferSubData(GL_COPY_READ_BUFFER, GL_COPY_WRITE_BUFFER, 16, 4096, 1024);
	glBufferSubData(GL_COPY_READ_BUFFER, 100, 300, pixels_of(300));
	bytes = glMapBufferRange(GL_COPY_WRITE_BUFFER, 10, 100, GL_MAP_WRITE_BIT);
	if (bytes)
		memset(bytes, 1, 100);
	glUnmapBuffer(GL_COPY_WRITE_BUFFER);
	bytes = glMapBufferRange(
		GL_COPY_WRITE_BUFFER, 0, 8192, GL_MAP_WRITE_BIT | GL_MAP_INVALIDATE_BUFFER_BIT);
	if (bytes)
		memset(bytes, 2, 8192);
	glUnmapBuffer(GL_COPY_WRITE_BUFFER);
	if (epoxy_has_gl_extension("GL_ARB_buffer_storage")) {
		glGenBuffers(1, &to);
		glBindBuffer(GL_COPY_WRITE_BUFFER, to);
		glBufferStorage(GL_COPY_WRITE_BUFFER, 4096, NULL,
			GL_MAP_WRITE_BIT | GL_MAP_PERSISTENT_BIT | GL_MAP_COHERENT_BIT);
		glMapBufferRange(GL_COPY_WRITE_BUFFER, 0, 4096,
			GL_MAP_WRITE_BIT | GL_MAP_PERSISTENT_BIT | GL_MAP_COHERENT_BIT);
	}
	glBindBuffer(GL_PIXEL_PACK_BUFFER, from);
	glReadPixels(0, 0, 16, 16, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
	glBindBuffer(GL_PIXEL_PACK_BUFFER, 0);
}

static void draw_indirect(void)
{
	static const GLuint arguments[] = {3, 1, 0, 0, 0, 3, 1, 0, 0, 0};
	GLuint buffer;

	if (!is_es && !epoxy_has_gl_extension("GL_ARB_draw_indirect"))
		return;
	glGenBuffers(1, &buffer);
	glBindBuffer(GL_DRAW_INDIRECT_BUFFER, buffer);
	glBufferData(GL_DRAW_INDIRECT_BUFFER, sizeof(arguments), arguments, GL_STATIC_DRAW);
	glDrawArraysIndirect(GL_TRIANGLES, NULL);
	glDrawElementsIndirect(GL_TRIANGLES, GL_UNSIGNED_BYTE, NULL);
	if (epoxy_has_gl_extension("GL_ARB_multi_draw_indirect"))
		glMultiDrawArraysIndirect(GL_TRIANGLES, NULL, 2, 16);
	glDrawElementsInstanced(GL_TRIANGLES, 6, GL_UNSIGNED_BYTE, NULL, 2);
}

static void draw_compute(void)
{
	static const GLuint groups[] = {4, 1, 1};
	const GLuint shader = compile(GL_COMPUTE_SHADER, compute_text);
	GLuint texture;

	glUseProgram(link_program(1, &shader, NULL));
	glGenTextures(1, &texture);
	glBindTexture(GL_TEXTURE_2D, texture);
	glTexStorage2D(GL_TEXTURE_2D, 1, GL_RGBA8, SIDE, SIDE);
	glBindImageTexture(0, texture, 0, GL_FALSE, 0, GL_WRITE_ONLY, GL_RGBA8);
	glBindBufferBase(GL_SHADER_STORAGE_BUFFER, 0,
		buffer_of(GL_SHADER_STORAGE_BUFFER, 256, GL_DYNAMIC_COPY));
	glBindBufferBase(GL_ATOMIC_COUNTER_BUFFER, 0,
		buffer_of(GL_ATOMIC_COUNTER_BUFFER, 16, GL_DYNAMIC_COPY));
	glDispatchCompute(4, 1, 1);
	glMemoryBarrier(GL_ALL_BARRIER_BITS);
	buffer_of(GL_DISPATCH_INDIRECT_BUFFER, sizeof(groups), GL_STATIC_DRAW);
	glBufferSubData(GL_DISPATCH_INDIRECT_BUFFER, 0, sizeof(groups), groups);
	glDispatchComputeIndirect(0);
}

static void draw_stages(GLuint vertex)
{
	const GLuint seen = compile(GL_FRAGMENT_SHADER, seen_text);
	const GLuint with_geometry[] = {vertex, compile(GL_GEOMETRY_SHADER, geometry_text), seen};
	const GLuint with_patches[] = {vertex, compile(GL_TESS_CONTROL_SHADER, control_text),
		compile(GL_TESS_EVALUATION_SHADER, evaluation_text), seen};

	glUseProgram(link_program(3, with_geometry, NULL));
	glDrawArrays(GL_TRIANGLES, 0, 3);
	glUseProgram(link_program(4, with_patches, NULL));
	glPatchParameteri(GL_PATCH_VERTICES, 3);
	glDrawArrays(GL_PATCHES, 0, 3);
}

/* The way of old programs: no shaders, no buffers. */
static void draw_fixed(void)
{
	glUseProgram(0);
	glEnable(GL_POLYGON_STIPPLE);
	glPolygonStipple(pixels_of(128));
	glMatrixMode(GL_PROJECTION);
	glLoadIdentity();
	glBegin(GL_QUADS);
	for (int i = 0; i < 4; i++) {
		glColor3f((float)i / 4, 0.5f, 1);
		glVertex2f((float)(i & 1), (float)(i >> 1));
	}
	glEnd();
	glRasterPos2i(0, 0);
	glDrawPixels(16, 16, GL_RGBA, GL_UNSIGNED_BYTE, pixels_of(1024));
	glCopyPixels(0, 0, 16, 16, GL_COLOR);
	glBitmap(16, 16, 0, 0, 1, 1, pixels_of(32));
	glLogicOp(GL_XOR);
	glEnable(GL_COLOR_LOGIC_OP);
	glClipPlane(GL_CLIP_PLANE0, (double[]){1, 0, 0, 0});
	glEnable(GL_CLIP_PLANE0);
	glBegin(GL_LINES);
	glVertex2f(0, 0);
	glVertex2f(1, 1);
	glEnd();
}

static void use_memory_info(void)
{
	GLint values[4];

	if (epoxy_has_gl_extension("GL_NVX_gpu_memory_info"))
		glGetIntegerv(GL_GPU_MEMORY_INFO_CURRENT_AVAILABLE_VIDMEM_NVX, values);
	if (epoxy_has_gl_extension("GL_ATI_meminfo"))
		glGetIntegerv(GL_VBO_FREE_MEMORY_ATI, values);
	if (epoxy_has_gl_extension("GL_GREMEDY_string_marker"))
		glStringMarkerGREMEDY(6, "marker");
	if (epoxy_has_gl_extension("GL_ARB_texture_barrier"))
		glTextureBarrier();
}

static void draw_all(void)
{
	static const float places[] = {-1, -1, 0, 1, 0, 0, 1, -1, 0, 1, 1, 0, 0, 1, 0, 1, 0.5f, 1};
	const GLuint vertex = compile(GL_VERTEX_SHADER, vertex_text);
	const GLuint shaders[] = {vertex, compile(GL_FRAGMENT_SHADER, fragment_text)};
	const GLuint program = link_program(2, shaders, "gl_Position");
	GLuint plain, many, texture, samples, list;

	glGenVertexArrays(1, &list);
	glBindVertexArray(list);
	plain = target_of(GL_RGBA8, 0, &texture);
	many = target_of(GL_RGBA8, 4, &samples);
	buffer_of(GL_ARRAY_BUFFER, 4096, GL_STATIC_DRAW);
	glBufferSubData(GL_ARRAY_BUFFER, 0, sizeof(places), places);
	glVertexAttribPointer(0, 4, GL_FLOAT, GL_FALSE, 24, NULL);
	glVertexAttribPointer(1, 2, GL_FLOAT, GL_FALSE, 24, (void *)16);
	glEnableVertexAttribArray(0);
	glEnableVertexAttribArray(1);
	buffer_of(GL_ELEMENT_ARRAY_BUFFER, 256, GL_STATIC_DRAW);
	glUseProgram(program);
	glUniformMatrix4fv(glGetUniformLocation(program, "turn"), 1, GL_FALSE,
		(const float[16]){1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
	glBindBufferBase(GL_UNIFORM_BUFFER, 0, buffer_of(GL_UNIFORM_BUFFER, 64, GL_STATIC_DRAW));
	use_textures();
	use_compressed();
	glDrawArrays(GL_TRIANGLES, 0, 3);
	use_state();
	draw_with_queries();
	draw_indirect();
	use_feedback();
	glBindFramebuffer(GL_READ_FRAMEBUFFER, many);
	glBindFramebuffer(GL_DRAW_FRAMEBUFFER, plain);
	glBlitFramebuffer(0, 0, SIDE, SIDE, 0, 0, SIDE, SIDE, GL_COLOR_BUFFER_BIT, GL_NEAREST);
	glBlitFramebuffer(0, 0, SIDE, SIDE, 0, 0, SIDE, SIDE,
		GL_DEPTH_BUFFER_BIT | GL_STENCIL_BUFFER_BIT, GL_NEAREST);
	glBindFramebuffer(GL_FRAMEBUFFER, plain);
	glBlitFramebuffer(0, 0, 10, 10, 50, 50, 20, 20, GL_COLOR_BUFFER_BIT, GL_NEAREST);
	glReadPixels(3, 4, 20, 20, GL_RGBA, GL_UNSIGNED_BYTE, pixels_of(0));
	glReadPixels(0, 0, 8, 8, GL_DEPTH_COMPONENT, GL_FLOAT, pixels_of(0));
	glCopyTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 4, 4, 20, 20);
	use_buffers();
	draw_compute();
	use_memory_info();
	if (!is_es) {
		draw_stages(vertex);
		draw_fixed();
	}
	glFinish();
}

int main(int argc, char **argv)
{
	static const EGLint gl_attributes[] = {EGL_CONTEXT_MAJOR_VERSION, 4,
		EGL_CONTEXT_MINOR_VERSION, 3, EGL_CONTEXT_OPENGL_PROFILE_MASK,
		EGL_CONTEXT_OPENGL_COMPATIBILITY_PROFILE_BIT, EGL_NONE};
	static const EGLint es_attributes[] = {
		EGL_CONTEXT_MAJOR_VERSION, 3, EGL_CONTEXT_MINOR_VERSION, 1, EGL_NONE};
	EGLDisplay display =
		eglGetPlatformDisplayEXT(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
	EGLContext context;

	is_es = argc > 1 && strcmp(argv[1], "es") == 0;
	if (!eglInitialize(display, NULL, NULL))
		return 1;
	eglBindAPI(is_es ? EGL_OPENGL_ES_API : EGL_OPENGL_API);
	context = eglCreateContext(
		display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, is_es ? es_attributes : gl_attributes);
	if (!context || !eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context))
		return 1;
	printf("%s\n", (const char *)glGetString(GL_RENDERER));
	draw_all();
	eglDestroyContext(display, context);
	eglTerminate(display);
	return 0;
}
