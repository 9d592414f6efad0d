"""Digits by a conditional denoising-diffusion model with classifier-free guidance."""
