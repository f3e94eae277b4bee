"""Runs in their threads, their slots, registration and actions."""
