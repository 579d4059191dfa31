"""
The control loop of policy_node: topics in, gated commands out, episodes, a person's takeover.

What is learned from it leaves by nodes/learning/.
"""
