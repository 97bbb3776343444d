# diagnosis: only-where
# bug: returns the first patch only
def forward(images, patch_size):
    b = len(images)
    return images[:, :patch_size, :patch_size].reshape(b, 1, -1), (images.shape, patch_size)
