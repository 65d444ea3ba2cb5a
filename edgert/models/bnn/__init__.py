"""Binary networks in PyTorch: layers, networks for 32x32 images, trees in the loss, export. Needs edgert[train]."""
