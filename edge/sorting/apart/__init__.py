"""Work on pixels in processes of their own, so that damaged pictures and their memory take no session along."""
