"""The newest picture of the service beside: wanted by a file, and read from one."""
