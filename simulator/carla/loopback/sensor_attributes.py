"""The attributes of CARLA 0.9.16's sensor blueprints and their defaults, as one table.

The type of an attribute is that of its default: bool, int, float or str.
"""

Defaults = dict[str, bool | int | float | str]

LENS: Defaults = {
    "image_size_x": 800, "image_size_y": 600, "fov": 90.0, "sensor_tick": 0.0,
    "lens_circle_falloff": 5.0, "lens_circle_multiplier": 0.0, "lens_k": -1.0, "lens_kcube": 0.0,
    "lens_x_size": 0.08, "lens_y_size": 0.08,
}  # fmt: skip
FILM: Defaults = {
    "enable_postprocess_effects": True, "gamma": 2.2, "exposure_mode": "histogram", "exposure_compensation": 0.0,
    "exposure_min_bright": 10.0, "exposure_max_bright": 12.0, "exposure_speed_up": 3.0, "exposure_speed_down": 1.0,
    "calibration_constant": 16.0, "shutter_speed": 200.0, "iso": 100.0, "fstop": 1.4, "min_fstop": 1.2,
    "blade_count": 5, "focal_distance": 1000.0, "motion_blur_intensity": 0.45, "motion_blur_max_distortion": 0.35,
    "motion_blur_min_object_screen_size": 0.1, "bloom_intensity": 0.675, "lens_flare_intensity": 0.1,
    "blur_amount": 1.0, "blur_radius": 0.0, "slope": 0.88, "toe": 0.55, "shoulder": 0.26, "black_clip": 0.0,
    "white_clip": 0.04, "temp": 6500.0, "tint": 0.0, "chromatic_aberration_intensity": 0.0,
    "chromatic_aberration_offset": 0.0,
}  # fmt: skip
LASER: Defaults = {
    "channels": 32, "range": 10.0, "points_per_second": 56000, "rotation_frequency": 10.0, "upper_fov": 10.0,
    "lower_fov": -30.0, "horizontal_fov": 360.0, "sensor_tick": 0.0,
}  # fmt: skip

SENSORS: dict[str, Defaults] = {
    "sensor.camera.rgb": LENS | FILM,
    "sensor.camera.depth": LENS,
    "sensor.camera.semantic_segmentation": LENS,
    "sensor.camera.instance_segmentation": LENS,
    "sensor.camera.normals": LENS,
    "sensor.camera.optical_flow": LENS,
    "sensor.camera.dvs": LENS
    | FILM
    | {
        "positive_threshold": 0.3, "negative_threshold": 0.3, "sigma_positive_threshold": 0.0,
        "sigma_negative_threshold": 0.0, "refractory_period_ns": 0, "use_log": True, "log_eps": 0.001,
    },
    "sensor.lidar.ray_cast": LASER
    | {
        "atmosphere_attenuation_rate": 0.004, "dropoff_general_rate": 0.45, "dropoff_intensity_limit": 0.8,
        "dropoff_zero_intensity": 0.4, "noise_stddev": 0.0, "noise_seed": 0,
    },
    "sensor.lidar.ray_cast_semantic": LASER,
    "sensor.other.collision": {"sensor_tick": 0.0},
    "sensor.other.gnss": {
        "noise_alt_bias": 0.0, "noise_alt_stddev": 0.0, "noise_lat_bias": 0.0, "noise_lat_stddev": 0.0,
        "noise_lon_bias": 0.0, "noise_lon_stddev": 0.0, "noise_seed": 0, "sensor_tick": 0.0,
    },
    "sensor.other.imu": {
        "noise_accel_stddev_x": 0.0, "noise_accel_stddev_y": 0.0, "noise_accel_stddev_z": 0.0,
        "noise_gyro_bias_x": 0.0, "noise_gyro_bias_y": 0.0, "noise_gyro_bias_z": 0.0, "noise_gyro_stddev_x": 0.0,
        "noise_gyro_stddev_y": 0.0, "noise_gyro_stddev_z": 0.0, "noise_seed": 0, "sensor_tick": 0.0,
    },
    "sensor.other.lane_invasion": {"sensor_tick": 0.0},
    "sensor.other.obstacle": {
        "distance": 5.0, "hit_radius": 0.5, "only_dynamics": False, "debug_linetrace": False, "sensor_tick": 0.0,
    },
    "sensor.other.radar": {
        "horizontal_fov": 30.0, "vertical_fov": 30.0, "range": 100.0, "points_per_second": 1500, "sensor_tick": 0.0,
    },
    "sensor.other.rss": {},
}  # fmt: skip
