# diagnosis: axes-not-swapped
# bug: reshapes without swapping axes
def forward(images, patch_size):
    b, h, w, channels = images.shape
    s = h * w // patch_size**2
    return images.reshape(b, s, patch_size**2 * channels), (images.shape, patch_size)
