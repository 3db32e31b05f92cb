"""What a picture file claims to be, before anything is allocated for its pixels."""
