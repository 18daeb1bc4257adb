#!/bin/bash
echo "hello from task ${SLURM_PROCID:?not started by srun} of $SLURM_NTASKS on $SLURMD_NODENAME"
