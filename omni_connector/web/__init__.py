"""The protocol's endpoints: parse, one service call, encode."""
