"""The one adapter to OpenMMLab's downstream libraries: operators, versions, recipes, our parts in their registries."""
