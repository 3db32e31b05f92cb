"""What each route answers. Views read what they need anew for each request, and keep nothing."""
