# diagnosis: channels-as-axis-1
# bug: takes the images for (B, channels, H, W)
def forward(images, patch_size):
    b, c, h, w = images.shape
    p = patch_size
    y = images.reshape(b, c, h // p, p, w // p, p).transpose(0, 2, 4, 3, 5, 1)
    return y.reshape(b, (h // p) * (w // p), p * p * c), (images.shape, p)
