"""Between policy_node and finetune_node: experience one way, acknowledgements and weights back."""
