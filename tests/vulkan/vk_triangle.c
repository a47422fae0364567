/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */

/*
 * Draws a triangle with Vulkan into an image that nobody sees, reads it back and checks every
 * pixel; or, with --rounds N, allocates, maps, writes, reads back, unmaps and frees host-visible
 * memory N times. No window system and no file are touched. Exit status 0 when all was right, 1
 * when a call failed or a value was wrong. The one line on stdout names the device.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "triangle_frag.h"
#include "triangle_vert.h"
#include "vk_device.h"

#define SIZE	  256u
#define ROUND_LEN (1024u * 1024u)
#define FORMAT	  VK_FORMAT_R8G8B8A8_UNORM

#define HOST_MEMORY (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)

/* What is drawn on, and the buffer that its pixels are copied to. */
struct target {
	VkImage image;
	VkDeviceMemory image_memory;
	VkImageView view;
	VkRenderPass pass;
	VkFramebuffer framebuffer;
	VkBuffer buffer;
	VkDeviceMemory buffer_memory;
};

struct pipeline {
	VkShaderModule vert;
	VkShaderModule frag;
	VkPipelineLayout layout;
	VkPipeline pipeline;
};

static void create_image(const struct vk_device *vk, struct target *target)
{
	const VkImageCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
		.imageType = VK_IMAGE_TYPE_2D,
		.format = FORMAT,
		.extent = {SIZE, SIZE, 1},
		.mipLevels = 1,
		.arrayLayers = 1,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.tiling = VK_IMAGE_TILING_OPTIMAL,
		.usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
	};
	VkImageViewCreateInfo view = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
		.viewType = VK_IMAGE_VIEW_TYPE_2D,
		.format = FORMAT,
		.subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
	};
	VkMemoryRequirements needs;

	VK_CHECK(vkCreateImage(vk->device, &info, NULL, &target->image));
	vkGetImageMemoryRequirements(vk->device, target->image, &needs);
	target->image_memory = vk_device_allocate(vk, &needs, 0);
	VK_CHECK(vkBindImageMemory(vk->device, target->image, target->image_memory, 0));
	view.image = target->image;
	VK_CHECK(vkCreateImageView(vk->device, &view, NULL, &target->view));
}

static void create_pass(const struct vk_device *vk, struct target *target)
{
	const VkAttachmentDescription attachment = {
		.format = FORMAT,
		.samples = VK_SAMPLE_COUNT_1_BIT,
		.loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
		.storeOp = VK_ATTACHMENT_STORE_OP_STORE,
		.initialLayout = VK_IMAGE_LAYOUT_UNDEFINED,
		.finalLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
	};
	const VkAttachmentReference colour = {0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL};
	const VkSubpassDescription subpass = {
		.pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS,
		.colorAttachmentCount = 1,
		.pColorAttachments = &colour,
	};
	/* The copy after the pass must see what the pass wrote. */
	const VkSubpassDependency dependency = {
		.srcSubpass = 0,
		.dstSubpass = VK_SUBPASS_EXTERNAL,
		.srcStageMask = VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
		.dstStageMask = VK_PIPELINE_STAGE_TRANSFER_BIT,
		.srcAccessMask = VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
	};
	const VkRenderPassCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
		.attachmentCount = 1,
		.pAttachments = &attachment,
		.subpassCount = 1,
		.pSubpasses = &subpass,
		.dependencyCount = 1,
		.pDependencies = &dependency,
	};

	VK_CHECK(vkCreateRenderPass(vk->device, &info, NULL, &target->pass));
}

static void create_framebuffer(const struct vk_device *vk, struct target *target)
{
	const VkFramebufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
		.renderPass = target->pass,
		.attachmentCount = 1,
		.pAttachments = &target->view,
		.width = SIZE,
		.height = SIZE,
		.layers = 1,
	};

	VK_CHECK(vkCreateFramebuffer(vk->device, &info, NULL, &target->framebuffer));
}

static void create_buffer(const struct vk_device *vk, struct target *target)
{
	const VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.size = SIZE * SIZE * 4,
		.usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
	};
	VkMemoryRequirements needs;

	VK_CHECK(vkCreateBuffer(vk->device, &info, NULL, &target->buffer));
	vkGetBufferMemoryRequirements(vk->device, target->buffer, &needs);
	target->buffer_memory = vk_device_allocate(vk, &needs, HOST_MEMORY);
	VK_CHECK(vkBindBufferMemory(vk->device, target->buffer, target->buffer_memory, 0));
}

static void target_finish(const struct vk_device *vk, struct target *target)
{
	vkDestroyBuffer(vk->device, target->buffer, NULL);
	vkFreeMemory(vk->device, target->buffer_memory, NULL);
	vkDestroyFramebuffer(vk->device, target->framebuffer, NULL);
	vkDestroyRenderPass(vk->device, target->pass, NULL);
	vkDestroyImageView(vk->device, target->view, NULL);
	vkDestroyImage(vk->device, target->image, NULL);
	vkFreeMemory(vk->device, target->image_memory, NULL);
}

static VkShaderModule create_shader(
	const struct vk_device *vk, const uint32_t *code, size_t code_len)
{
	const VkShaderModuleCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
		.codeSize = code_len,
		.pCode = code,
	};
	VkShaderModule shader;

	VK_CHECK(vkCreateShaderModule(vk->device, &info, NULL, &shader));
	return shader;
}

static void build_pipeline(const struct vk_device *vk, VkRenderPass pass, struct pipeline *pipe,
	const VkPipelineShaderStageCreateInfo *stages)
{
	const VkPipelineVertexInputStateCreateInfo input = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO,
	};
	const VkPipelineInputAssemblyStateCreateInfo assembly = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
		.topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
	};
	const VkViewport area = {0, 0, SIZE, SIZE, 0, 1};
	const VkRect2D scissor = {{0, 0}, {SIZE, SIZE}};
	const VkPipelineViewportStateCreateInfo viewport = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
		.viewportCount = 1,
		.pViewports = &area,
		.scissorCount = 1,
		.pScissors = &scissor,
	};
	const VkPipelineRasterizationStateCreateInfo raster = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
		.lineWidth = 1,
	};
	const VkPipelineMultisampleStateCreateInfo samples = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
		.rasterizationSamples = VK_SAMPLE_COUNT_1_BIT,
	};
	const VkPipelineColorBlendAttachmentState write_all = {.colorWriteMask = 0xf};
	const VkPipelineColorBlendStateCreateInfo blend = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
		.attachmentCount = 1,
		.pAttachments = &write_all,
	};
	const VkGraphicsPipelineCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
		.stageCount = 2,
		.pStages = stages,
		.pVertexInputState = &input,
		.pInputAssemblyState = &assembly,
		.pViewportState = &viewport,
		.pRasterizationState = &raster,
		.pMultisampleState = &samples,
		.pColorBlendState = &blend,
		.layout = pipe->layout,
		.renderPass = pass,
	};

	VK_CHECK(vkCreateGraphicsPipelines(
		vk->device, VK_NULL_HANDLE, 1, &info, NULL, &pipe->pipeline));
}

static void pipeline_init(const struct vk_device *vk, VkRenderPass pass, struct pipeline *pipe)
{
	const VkPipelineLayoutCreateInfo layout = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
	};
	VkPipelineShaderStageCreateInfo stages[2] = {
		{.stage = VK_SHADER_STAGE_VERTEX_BIT},
		{.stage = VK_SHADER_STAGE_FRAGMENT_BIT},
	};

	pipe->vert = create_shader(vk, triangle_vert, sizeof(triangle_vert));
	pipe->frag = create_shader(vk, triangle_frag, sizeof(triangle_frag));
	stages[0].module = pipe->vert;
	stages[1].module = pipe->frag;
	for (int i = 0; i < 2; i++) {
		stages[i].sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
		stages[i].pName = "main";
	}
	VK_CHECK(vkCreatePipelineLayout(vk->device, &layout, NULL, &pipe->layout));
	build_pipeline(vk, pass, pipe, stages);
}

static void pipeline_finish(const struct vk_device *vk, struct pipeline *pipe)
{
	vkDestroyPipeline(vk->device, pipe->pipeline, NULL);
	vkDestroyPipelineLayout(vk->device, pipe->layout, NULL);
	vkDestroyShaderModule(vk->device, pipe->frag, NULL);
	vkDestroyShaderModule(vk->device, pipe->vert, NULL);
}

static void record(VkCommandBuffer commands, const struct target *target, VkPipeline pipeline)
{
	const VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
		.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
	};
	const VkClearValue black = {.color.float32 = {0, 0, 0, 1}};
	const VkRenderPassBeginInfo pass = {
		.sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
		.renderPass = target->pass,
		.framebuffer = target->framebuffer,
		.renderArea = {{0, 0}, {SIZE, SIZE}},
		.clearValueCount = 1,
		.pClearValues = &black,
	};
	const VkBufferImageCopy whole = {
		.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
		.imageExtent = {SIZE, SIZE, 1},
	};
	const VkMemoryBarrier to_host = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
		.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_HOST_READ_BIT,
	};

	VK_CHECK(vkBeginCommandBuffer(commands, &begin));
	vkCmdBeginRenderPass(commands, &pass, VK_SUBPASS_CONTENTS_INLINE);
	vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
	vkCmdDraw(commands, 3, 1, 0, 0);
	vkCmdEndRenderPass(commands);
	vkCmdCopyImageToBuffer(commands, target->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
		target->buffer, 1, &whole);
	vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT,
		0, 1, &to_host, 0, NULL, 0, NULL);
	VK_CHECK(vkEndCommandBuffer(commands));
}

static void draw(const struct vk_device *vk, const struct target *target, VkPipeline pipeline)
{
	const VkCommandPoolCreateInfo pool_info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
		.queueFamilyIndex = vk->family,
	};
	const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
	VkCommandBufferAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
		.commandBufferCount = 1,
	};
	VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1};
	VkCommandBuffer commands;
	VkCommandPool pool;
	VkFence fence;

	VK_CHECK(vkCreateCommandPool(vk->device, &pool_info, NULL, &pool));
	info.commandPool = pool;
	VK_CHECK(vkAllocateCommandBuffers(vk->device, &info, &commands));
	record(commands, target, pipeline);
	VK_CHECK(vkCreateFence(vk->device, &fence_info, NULL, &fence));
	submit.pCommandBuffers = &commands;
	VK_CHECK(vkQueueSubmit(vk->queue, 1, &submit, fence));
	VK_CHECK(vkWaitForFences(vk->device, 1, &fence, VK_TRUE, UINT64_MAX));
	vkDestroyFence(vk->device, fence, NULL);
	vkDestroyCommandPool(vk->device, pool, NULL);
}

/* Pixels on the diagonal belong to the triangle or not, as the driver's rounding has it. */
static bool pixel_is_right(const uint8_t *pixel, uint32_t x, uint32_t y)
{
	const bool black = pixel[0] == 0 && pixel[1] == 0 && pixel[2] == 0;
	const bool drawn = abs((int)pixel[0] - (int)x) <= 1 && abs((int)pixel[1] - (int)y) <= 1 &&
			   pixel[2] == 255;

	if (pixel[3] != 255)
		return false;
	if (x == y)
		return black || drawn;
	return x < y ? drawn : black;
}

static unsigned int count_wrong_pixels(const uint8_t *pixels)
{
	unsigned int wrong = 0;

	for (uint32_t y = 0; y < SIZE; y++) {
		for (uint32_t x = 0; x < SIZE; x++) {
			const uint8_t *pixel = &pixels[(y * SIZE + x) * 4];

			if (pixel_is_right(pixel, x, y))
				continue;
			if (wrong++ == 0)
				fprintf(stderr,
					"vk_triangle: first wrong pixel (%u,%u): "
					"%02x%02x%02x%02x\n",
					x, y, pixel[0], pixel[1], pixel[2], pixel[3]);
		}
	}
	return wrong;
}

static int run_triangle(const struct vk_device *vk)
{
	struct pipeline pipe;
	struct target target;
	unsigned int wrong;
	void *pixels;

	create_image(vk, &target);
	create_pass(vk, &target);
	create_framebuffer(vk, &target);
	create_buffer(vk, &target);
	pipeline_init(vk, target.pass, &pipe);
	VK_CHECK(vkMapMemory(vk->device, target.buffer_memory, 0, VK_WHOLE_SIZE, 0, &pixels));
	memset(pixels, 0x55, SIZE * SIZE * 4);
	draw(vk, &target, pipe.pipeline);
	wrong = count_wrong_pixels(pixels);
	vkUnmapMemory(vk->device, target.buffer_memory);
	pipeline_finish(vk, &pipe);
	target_finish(vk, &target);
	printf("triangle: %u of %u pixels wrong\n", wrong, SIZE * SIZE);
	return wrong == 0 ? 0 : 1;
}

/* The value of a word differs between words and between rounds: stale memory is seen. */
static uint32_t round_word(uint32_t round, uint32_t index)
{
	return (round + 1) * 2654435761u ^ index;
}

/* Maps twice: the second mapping has to show what was written through the first. */
static unsigned int run_round(const struct vk_device *vk, VkDeviceMemory memory, uint32_t round)
{
	const uint32_t word_count = ROUND_LEN / sizeof(uint32_t);
	unsigned int wrong = 0;
	uint32_t *words;
	void *map;

	VK_CHECK(vkMapMemory(vk->device, memory, 0, ROUND_LEN, 0, &map));
	words = map;
	for (uint32_t i = 0; i < word_count; i++)
		words[i] = round_word(round, i);
	vkUnmapMemory(vk->device, memory);

	VK_CHECK(vkMapMemory(vk->device, memory, 0, ROUND_LEN, 0, &map));
	words = map;
	for (uint32_t i = 0; i < word_count; i++) {
		if (words[i] == round_word(round, i))
			continue;
		if (wrong++ < 8)
			fprintf(stderr, "round %u, word %u: %08x, not %08x\n", round, i, words[i],
				round_word(round, i));
	}
	vkUnmapMemory(vk->device, memory);
	return wrong;
}

static int run_rounds(const struct vk_device *vk, uint32_t round_count)
{
	const VkMemoryRequirements needs = {.size = ROUND_LEN, .memoryTypeBits = ~0u};
	unsigned int wrong = 0;

	for (uint32_t round = 0; round < round_count; round++) {
		VkDeviceMemory memory = vk_device_allocate(vk, &needs, HOST_MEMORY);

		wrong += run_round(vk, memory, round);
		vkFreeMemory(vk->device, memory, NULL);
	}
	printf("memory: %u rounds, %u words wrong\n", round_count, wrong);
	return wrong == 0 ? 0 : 1;
}

static int usage(FILE *stream)
{
	fprintf(stream,
		"Usage: vk_triangle [--rounds N]\n\n"
		"Draws a triangle off-screen and checks its pixels; with --rounds, allocates, maps,\n"
		"writes, reads back, unmaps and frees 1 MiB of host-visible memory N times instead.\n");
	return stream == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	uint32_t round_count = 0;
	struct vk_device vk;
	int option;
	int status;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout);
		if (option != 'r' || sscanf(optarg, "%u", &round_count) != 1 || round_count == 0)
			return usage(stderr);
	}
	if (optind != argc)
		return usage(stderr);
	vk_device_init(&vk);
	printf("device: %s\n", vk.properties.deviceName);
	fflush(stdout);
	status = round_count ? run_rounds(&vk, round_count) : run_triangle(&vk);
	vk_device_finish(&vk);
	return status;
}
