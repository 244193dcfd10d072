"""What runs beside the web: RQ workers that drain lanes, and the ticker that sees to it that they are asked to."""
