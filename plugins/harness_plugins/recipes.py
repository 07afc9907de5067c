"""Recipes that several heads are trained by; each is named after where it is from."""

from __future__ import annotations

from harness import Optimiser, Recipe, Schedule

PEFT_SER = Recipe(
    name="peft-ser",
    epochs=30,
    batch=32,
    optimiser=Optimiser(learning_rate=5e-4, weight_decay=1e-4, betas=(0.9, 0.98)),
    schedule=Schedule(kind="plateau", factor=0.5, patience=5, minimum=5e-5),
    loss="class-weighted cross-entropy",
    deviations=(
        "features from a backbone in eval mode (no dropout, no LayerDrop)",
        "no waveform augmentation",
        "no padded frame is computed or averaged",
        "selection by validation macro-F1 unless asked for UAR",
        "clips whole, not cut to 6 s, unless asked for",
    ),
)
"""PEFT-SER's (Feng and Narayanan 2023, https://arxiv.org/abs/2306.05350).

Code: usc-sail/peft-ser 74cd9e2, ``experiment/finetune_emotion.py`` and
``dataloader/dataloader.py``; section 4.2 of D'Asaro et al. (CLiC-it 2024) has the same
figures.
"""
