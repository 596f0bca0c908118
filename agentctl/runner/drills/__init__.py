"""Plays the failure drills against a task under its policy: real SDKs, real HTTP, a real store, real processes."""
