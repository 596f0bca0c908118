"""The only place where decisions meet the world: loop, recorder, resume, composition root."""
