"""Bags: what reading, judging and describing recordings takes; rosbag.py converts them."""
