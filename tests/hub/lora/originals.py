"""Names of the original code, written down by hand, beside ours. Rows in order, where fused."""

SDXL = {
    "input_blocks_0_0": "conv_in",
    "time_embed_0": "time_embedding.linear_1",
    "label_emb_0_2": "add_embedding.linear_2",
    "input_blocks_2_0_in_layers_2": "down_blocks.0.resnets.1.conv1",
    "input_blocks_3_0_op": "down_blocks.0.downsamplers.0.conv",
    "input_blocks_4_0_skip_connection": "down_blocks.1.resnets.0.conv_shortcut",
    "input_blocks_4_1_proj_in": "down_blocks.1.attentions.0.proj_in",
    "input_blocks_5_1_transformer_blocks_1_attn2_to_k":
        "down_blocks.1.attentions.1.transformer_blocks.1.attn2.to_k",
    "input_blocks_8_1_transformer_blocks_9_ff_net_0_proj":
        "down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj",
    "middle_block_0_emb_layers_1": "mid_block.resnets.0.time_emb_proj",
    "middle_block_1_transformer_blocks_9_attn1_to_out_0":
        "mid_block.attentions.0.transformer_blocks.9.attn1.to_out.0",
    "middle_block_2_out_layers_3": "mid_block.resnets.1.conv2",
    "output_blocks_0_1_transformer_blocks_0_attn1_to_q":
        "up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "output_blocks_2_2_conv": "up_blocks.0.upsamplers.0.conv",
    "output_blocks_5_1_proj_out": "up_blocks.1.attentions.2.proj_out",
    "output_blocks_5_2_conv": "up_blocks.1.upsamplers.0.conv",
    "output_blocks_8_0_skip_connection": "up_blocks.2.resnets.2.conv_shortcut",
    "out_2": "conv_out",
}  # fmt: skip
SD1 = {
    "input_blocks_1_1_transformer_blocks_0_attn2_to_v":
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v",
    "input_blocks_9_0_op": "down_blocks.2.downsamplers.0.conv",
    "input_blocks_11_0_out_layers_3": "down_blocks.3.resnets.1.conv2",
    "output_blocks_2_1_conv": "up_blocks.0.upsamplers.0.conv",
    "output_blocks_5_2_conv": "up_blocks.1.upsamplers.0.conv",
    "output_blocks_11_1_proj_in": "up_blocks.3.attentions.2.proj_in",
}  # fmt: skip
FLUX = {
    "double_blocks_3_img_attn_qkv": "transformer_blocks.3.attn.to_q transformer_blocks.3.attn.to_k "
        "transformer_blocks.3.attn.to_v",
    "double_blocks_18_txt_attn_qkv": "transformer_blocks.18.attn.add_q_proj "
        "transformer_blocks.18.attn.add_k_proj transformer_blocks.18.attn.add_v_proj",
    "double_blocks_0_img_mlp_2": "transformer_blocks.0.ff.net.2",
    "double_blocks_0_txt_mod_lin": "transformer_blocks.0.norm1_context.linear",
    "single_blocks_37_linear1": "single_transformer_blocks.37.attn.to_q "
        "single_transformer_blocks.37.attn.to_k single_transformer_blocks.37.attn.to_v "
        "single_transformer_blocks.37.proj_mlp",
    "single_blocks_0_linear2": "single_transformer_blocks.0.proj_out",
    "vector_in_out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in_in_layer": "time_text_embed.guidance_embedder.linear_1",
}  # fmt: skip
SD3 = {
    "joint_blocks_0_x_block_attn_qkv": "transformer_blocks.0.attn.to_q transformer_blocks.0.attn."
        "to_k transformer_blocks.0.attn.to_v",
    "joint_blocks_23_context_block_attn_qkv": "transformer_blocks.23.attn.add_q_proj "
        "transformer_blocks.23.attn.add_k_proj transformer_blocks.23.attn.add_v_proj",
    "joint_blocks_5_x_block_attn2_proj": "transformer_blocks.5.attn2.to_out.0",
    "joint_blocks_7_context_block_mlp_fc1": "transformer_blocks.7.ff_context.net.0.proj",
    "y_embedder_mlp_0": "time_text_embed.text_embedder.linear_1",
}  # fmt: skip
WAN = {
    "blocks_29_self_attn_o": "blocks.29.attn1.to_out.0",
    "blocks_0_cross_attn_k": "blocks.0.attn2.to_k",
    "blocks_1_ffn_0": "blocks.1.ffn.net.0.proj",
    "head_head": "proj_out",
    "time_projection_1": "condition_embedder.time_proj",
}
