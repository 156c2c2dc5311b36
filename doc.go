package dashfeed
