"""The certificate of the pages: found, loaded, described; and one of this machine's own, made by openssl."""
