"""The numpy side of the watch: arrays that know which stream position each element stands for."""
