/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#version 450

layout(location = 0) out vec4 colour;

/* Red tells the column, green the row: a picture that is moved or mirrored is seen to be wrong. */
void main()
{
	colour = vec4(gl_FragCoord.x / 256.0, gl_FragCoord.y / 256.0, 1.0, 1.0);
}
