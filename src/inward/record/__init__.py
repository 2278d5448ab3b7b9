"""The record: the call, the recorder that appends it durably and once, and the reader."""
