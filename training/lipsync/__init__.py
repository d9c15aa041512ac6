"""The lip-sync network: synthesis, labels, augmentation, training, export."""
