/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#version 450

/* A triangle that fills the lower left half of the target, without any vertex buffer. */
void main()
{
	const vec2 corners[3] = vec2[](vec2(-1.0, -1.0), vec2(-1.0, 1.0), vec2(1.0, 1.0));

	gl_Position = vec4(corners[gl_VertexIndex], 0.0, 1.0);
}
