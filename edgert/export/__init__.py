"""A model as a project of somebody else's build system. One file per ecosystem, with files(model)."""
