# diagnosis: column-order
# bug: takes the patches column by column
def forward(images, patch_size):
    b, h, w, channels = images.shape
    p = patch_size
    tiles = images.reshape(b, h // p, p, w // p, p, channels)
    tiles = tiles.transpose(0, 3, 1, 2, 4, 5)
    return tiles.reshape(b, -1, p * p * channels), (images.shape, patch_size)
