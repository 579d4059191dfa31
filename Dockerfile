# iql_ros on ROS 2 Jazzy (amd64 and arm64). Written with care and not run: built nowhere yet.
#
#   docker build -t iql_ros .                                        what a robot needs that drives
#   docker build -t iql_ros --build-arg EXTRAS=data,sim,report .     training and simulation too
#   docker run --rm -it --network host --ipc host -v "$PWD:/data" iql_ros \
#     ros2 launch iql_ros deploy.launch.py robot:=real robot_config:=/data/robot.yaml \
#     checkpoint:=/data/policy.safetensors
#
# `--network host --ipc host`: the nodes meet those of the host, over shared memory too.
FROM ros:jazzy

# TORCH_INDEX: where PyTorch keeps its CPU wheels (see the Makefile); spares CUDA on amd64.
ARG TORCH_INDEX=""
ARG EXTRAS=""

WORKDIR /ws

# Ubuntu's Python takes nothing from pip (PEP 668), and rclpy is one of its packages: hence a venv
# that sees them.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages .venv \
    && touch .venv/COLCON_IGNORE

# hadolint ignore=DL3013
RUN .venv/bin/pip install --no-cache-dir \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch safetensors

COPY . src/iql_ros

RUN apt-get update \
    && rosdep update --rosdistro "$ROS_DISTRO" \
    && rosdep install --from-paths src --ignore-src -y --dependency-types=exec \
    && rm -rf /var/lib/apt/lists/*

RUN if [ -n "$EXTRAS" ]; then .venv/bin/pip install --no-cache-dir "src/iql_ros[$EXTRAS]"; fi

# `python -m colcon`: the executables then run in the venv.
# hadolint ignore=SC1091
RUN . "/opt/ros/$ROS_DISTRO/setup.sh" && .venv/bin/python -m colcon build

# The venv's commands first, then ROS and this workspace.
ENV PATH="/ws/.venv/bin:$PATH"
ENTRYPOINT ["/bin/bash", "-c", "source /ws/install/setup.bash && exec \"$@\"", "--"]
CMD ["ros2", "launch", "iql_ros", "deploy.launch.py", "--show-args"]
