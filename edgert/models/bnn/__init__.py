"""Binary networks in PyTorch: layers, networks, trees in the loss, export. Needs edgert[train]."""
