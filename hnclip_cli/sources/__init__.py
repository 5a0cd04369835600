"""Where records come from: drawn scenes, files of captions, folders of images, benchmarks."""
