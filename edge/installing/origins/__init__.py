"""What a version is made of: an unpacked kit, a clone, or what is installed already."""
